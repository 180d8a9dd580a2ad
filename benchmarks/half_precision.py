"""`python -m benchmarks.half_precision [--mixed]`: activations that are kept in float16 against float32.

Maps by the head with global average pooling, and the means of values and squares by the logistic head, each in 5 folds
by patient, on phantoms and on the real images of ../shared. Each run is repeated with the same activations rounded to
float16; beside it are the bytes, and the time to read all of them as float32, from disk and from the system's cache.

`--mixed`: in place of this, how far activations in mixed precision are from those in float32, by tap, with the largest
ones, and what they change in the same runs, at the backbone's own size. A processor computes what a GPU would, but
slowly.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.__main__ import SHARED
from benchmarks.recommended import pooled, trained

HEADS = {"maps": {"head": "gap"}, "means": {"head": "logistic"}}
ROUNDS = 5
MIXED_IMAGES = 8
DATASETS = "phantom", "real", "kermany3"


def main() -> None:
    """Print one JSON object for each dataset, backbone and kind of activations."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.half_precision")
    parser.add_argument("--backbones", nargs="+", default=["cxrtiny", "mobilenetv2", "vgg16"])
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--kinds", nargs="*", choices=HEADS, default=list(HEADS))
    parser.add_argument("--mixed", action="store_true", help="compare mixed precision with float32")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        _datasets(arguments.datasets)
        if arguments.mixed:
            for backbone in arguments.backbones:
                for dataset in arguments.datasets:
                    print(json.dumps({"dataset": dataset, "backbone": backbone, "taps": taps(backbone, dataset)}))
                    for kind in arguments.kinds:
                        row = {"dataset": dataset, "backbone": backbone, "kind": kind}
                        print(json.dumps(row | mixed(dataset, backbone, kind, Path(home))), flush=True)
            return
        for backbone in arguments.backbones:
            for dataset in arguments.datasets:
                for kind in arguments.kinds:
                    row = {"dataset": dataset, "backbone": backbone, "kind": kind}
                    print(json.dumps(row | measure(dataset, backbone, kind, Path(home))), flush=True)


def _datasets(names: list[str]) -> None:
    from cxrcore.data.importing import import_folders
    from cxrcore.data.phantom import dataset as phantoms

    data = SHARED / "data"
    if "phantom" in names:
        phantoms.create("phantom", patients=100, images=2)
    if "real" in names:
        import_folders([data / "covid-chestxray-dataset", data / "chest_xray"], "real")
    if "kermany3" in names:
        import_folders([data / "kermany3"], "kermany3")


def measure(dataset: str, backbone: str, kind: str, home: Path) -> dict[str, Any]:
    """Return results, bytes and seconds of reading in both precisions, and what rounding changes."""
    from cxrcore.errors import UserError

    full, half = home / "float32", home / "float16"
    for folder in (full, half):
        shutil.rmtree(folder, ignore_errors=True)
    os.environ["CXR_FEATURES_DIR"] = str(full)
    first, _ = trained(dataset, backbone, HEADS[kind])
    rounding = _round(full, half, kind)
    os.environ["CXR_FEATURES_DIR"] = str(half)
    found: dict[str, Any] = {"float32": _result(first) | _reading(full, kind)}
    try:
        second, _ = trained(dataset, backbone, HEADS[kind])
        found["float16"] = _result(second) | _reading(half, kind)
        found["difference"] = _difference(first, second)
    except UserError as error:
        found["float16"] = str(error)
    return found | rounding


def mixed(dataset: str, backbone: str, kind: str, home: Path) -> dict[str, Any]:
    """Return the results of runs in both precisions, and what mixed precision changes, whatever the tolerance."""
    from cxrcore.features import gpu_pass, gpus

    os.environ["CXR_FEATURES_DIR"] = str(home / "mixed")
    shutil.rmtree(home / "mixed", ignore_errors=True)
    values = HEADS[kind] | {"budget": 0}
    first, _ = trained(dataset, backbone, values)
    with (
        patch.object(gpus, "are_in_use", return_value=True),
        patch.object(gpus, "engine_for", return_value=gpus.MIXED),
        patch.object(gpu_pass, "TOLERANCE", np.inf),
        patch.object(gpu_pass, "MOST", gpu_pass.FEWEST),
    ):
        second, _ = trained(dataset, backbone, values)
    return {"float32": _result(first), "mixed": _result(second), "difference": _difference(first, second)}


def taps(backbone: str, dataset: str) -> dict[str, Any]:
    """Return for each tap how far activations, and means of values and squares, are from those in float32, and the
    largest of these.
    """
    from cxrcore.data.dataset import load
    from cxrcore.features import backbones, extract, gpu_pass, preprocessing, weights
    from cxrcore.features.keras_setup import keras
    from cxrcore.features.key import FeatureKey

    table, known = load(dataset).usable, backbones.get(backbone)
    paths = [Path(path) for path in table["path"].sample(MIXED_IMAGES, random_state=0)]
    images = np.concatenate(list(extract.batches(paths, known.size)))
    resolved = weights.resolve(known, known.weights_kinds[0])
    key = FeatureKey(backbone, resolved.digest, known.size, known.preprocessing, "")
    full = key.build_backbone(resolved)
    cut = keras.Model(full.input, [full.get_layer(tap).output for tap in known.taps], name="backbone")
    pixels = keras.Input((known.size, known.size, 3))
    exact = keras.Model(pixels, cut(preprocessing.apply(pixels, known.preprocessing), training=False))
    expected, found = (
        [np.asarray(maps, np.float32) for maps in model.predict_on_batch(images)]
        for model in (exact, gpu_pass.in_mixed_precision(exact))
    )
    return {
        tap: {
            name: [float(f"{number:.2g}") for number in (gpu_pass.difference(of(after), of(before)), of(before).max())]
            for name, of in (("maps", _values), ("means", _means), ("means of squares", _squares))
        }
        for tap, before, after in zip(known.taps, expected, found, strict=True)
    }


def _values(maps: np.ndarray) -> np.ndarray:
    return maps


def _means(maps: np.ndarray) -> np.ndarray:
    return np.asarray(maps.mean(axis=(1, 2)))


def _squares(maps: np.ndarray) -> np.ndarray:
    return _means(np.square(maps))


def _folders(features: Path, kind: str) -> list[Path]:
    """Return the folders of maps, or of means."""
    abouts = sorted(features.glob("[!.]*/about.json"))
    return [about.parent for about in abouts if json.loads(about.read_text())["pooled"] == (kind == "means")]


def _round(full: Path, half: Path, kind: str) -> dict[str, Any]:
    """Copy activations, in float16 those of the kind; return the shares of values that become infinite or 0."""
    shutil.copytree(full, half)
    values = infinite = lost = 0
    for path in [path for folder in _folders(half, kind) for path in folder.glob("*.npy")]:
        before = np.load(path)
        with np.errstate(over="ignore"):
            after = before.astype(np.float16)
        values, infinite = values + before.size, infinite + int((~np.isfinite(after)).sum())
        lost += int(((after == 0) & (before != 0)).sum())
        np.save(path, after)
    return {"infinite": infinite / values, "lost": lost / values}


def _result(run: Any) -> dict[str, Any]:
    true, probabilities = _predictions(run)
    loss = -np.log(np.maximum(probabilities[np.arange(len(true)), true], 1e-12)).mean()
    chosen = run.selection
    return {
        "accuracy": pooled(run)["accuracy"],
        "log loss": float(loss),
        "chosen": [chosen.size, chosen.tap, chosen.l2] if chosen else [],
    }


def _difference(first: Any, second: Any) -> dict[str, float]:
    (true, before), (_, after) = _predictions(first), _predictions(second)
    return {
        "images": len(true),
        "other class": int((before.argmax(axis=1) != after.argmax(axis=1)).sum()),
        "largest of probabilities": float(np.abs(before - after).max()),
        "mean of probabilities": float(np.abs(before - after).mean()),
    }


def _predictions(run: Any) -> tuple[np.ndarray, np.ndarray]:
    from cxrcore.evaluation.metrics import probability_columns
    from cxrcore.inference.labels import class_indices

    table = run.read_table("resampling.parquet").sort_values("sha256", kind="stable")
    return class_indices(table["label"], run.classes), table[probability_columns(run.classes)].to_numpy(float)


def _reading(features: Path, kind: str) -> dict[str, float]:
    """Return the bytes of the activations of the kind, and the fastest seconds to read them all."""
    shards = [path for folder in _folders(features, kind) for path in sorted(folder.glob("*.npy"))]
    cold, warm = [], []
    for _ in range(ROUNDS):
        for path in shards:
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        cold.append(_seconds(shards))
        warm.append(_seconds(shards))
    return {"bytes": sum(path.stat().st_size for path in shards), "from disk": min(cold), "from cache": min(warm)}


def _seconds(shards: list[Path]) -> float:
    from cxrcore.features.store import Activations

    start = perf_counter()
    for path in shards:
        count = len(np.load(path, mmap_mode="r"))
        kept = Activations([path], np.array([(0, row) for row in range(count)]))
        for rows in kept.chunks(np.arange(count)):
            kept.rows(rows)
    return perf_counter() - start


if __name__ == "__main__":
    main()
