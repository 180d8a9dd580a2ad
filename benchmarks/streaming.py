"""`python -m benchmarks.streaming`: training of data that do not fit into memory, against the same in memory.

Phantoms, sorted by class, pass CXRTiny once at 64 x 64 pixels. Prints JSON lines:

- For each head and seed (of the split, the weights and the order of the images): test accuracy and the last losses in
  memory; with the vectors in a file and a buffer that holds all, the largest difference of any epoch's loss from those
  in memory; with a buffer of 10 %, the last losses and test accuracy, and its difference in percentage points.
- For each head, the mean and the largest difference over the seeds.
- For the logistic regression on mean and standard deviation of the same maps: the seconds, and the largest relative
  difference of the kernel that is solved with the vectors in a file from that with the vectors in memory.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np

HEADS = ("gap", "hidden", "probe", "tutorial")
SIDE = 64  # pixels
SHARE = 0.1  # of the training vectors in the buffer


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming")
    parser.add_argument("--images", type=int, default=6_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--tap", default="block5_out", help="of CXRTiny")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=["gap", "hidden"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        table, labels, maps = _features(options.images, options.tap)
        for head in options.heads:
            values = {"head": head, "tap": options.tap, "epochs": options.epochs}
            rows = []
            for row in _fits(values, options.seeds, table, labels, maps):
                rows.append(row)
                print(json.dumps(row), flush=True)
            points = [row["points"] for row in rows]
            largest = float(np.abs(points).max())
            print(
                json.dumps({"head": head, "points_mean": round(float(np.mean(points)), 2), "points_largest": largest})
            )
        print(json.dumps(_logistic(labels, maps)))


def _features(count: int, tap: str) -> tuple[Any, np.ndarray, Any]:
    """Return the table of phantoms, sorted by class, their class indices and their maps."""
    from cxrcore.config import run_config
    from cxrcore.data.phantom import dataset as phantoms
    from cxrcore.features import extract
    from cxrcore.inference.labels import class_indices

    data = phantoms.create("streaming", patients=-(-count // 6), images=2)
    table = data.usable.sort_values("label", kind="stable", ignore_index=True)
    config = run_config.make(dataset="streaming", head="gap", size=SIDE, tap=tap)
    weights = config.resolve()
    key = config.key(weights.digest)
    maps = extract.activations(table, key, weights, lambda: key.build(weights))
    return table, class_indices(table["label"], data.classes), maps


def _fits(values: dict[str, Any], seeds: int, table: Any, labels: np.ndarray, maps: Any) -> Iterator[dict[str, Any]]:
    from cxrcore.config import run_config
    from cxrcore.data import dataset, split
    from cxrcore.features.keras_setup import keras
    from cxrcore.training import feature_vectors, heads
    from cxrcore.training.callbacks import Callback
    from cxrcore.training.feature_vectors import FeatureVectors
    from cxrcore.training.kept_vectors import MEMORY_BYTES
    from cxrcore.training.trainer import fit

    class Losses(Callback):
        """Keeps the losses of each epoch."""

        def __init__(self) -> None:
            self.found: list[tuple[float, float]] = []

        def on_epoch_end(self, epoch: Any) -> None:
            self.found.append((epoch.loss, epoch.val_loss))

    for seed in range(seeds):
        config = run_config.make(dataset="streaming", size=SIDE, seed=seed, early_stopping=0, **values)
        parts = split.by_patient(table, seed=seed)
        trained, validated, tested = (np.flatnonzero(parts == part) for part in dataset.PARTS)

        def fitted(
            memory: int, in_file: bool, config: Any = config, rows: Any = (trained, validated, tested)
        ) -> tuple[Any, float]:
            keras.utils.set_random_seed(config.seed)
            head = heads.build(config.head, maps.map_shape, 3, config.dropout)
            stem, losses = head.get_layer("stem"), Losses()
            fits = {"side_effect": lambda *_: False} if in_file else {"wraps": feature_vectors._fit}
            with mock.patch.object(feature_vectors, "_fit", **fits):
                train, validation = (
                    FeatureVectors(maps, each, labels, stem, config.batch_size, memory) for each in rows[:2]
                )
            heads.standardise(head, train, config.seed)
            fit(head.get_layer("body"), train, validation, config, losses)
            answers = [np.asarray(head(maps.rows(chunk))).argmax(axis=1) for chunk in maps.chunks(rows[2])]
            return losses.found, float((np.concatenate(answers) == labels[rows[2]]).mean())

        width = heads.build(config.head, maps.map_shape, 3, 0.0).get_layer("stem").output_shape[1]
        size = 4 * width * (len(trained) + run_config.make(dataset="streaming").batch_size)  # whole batches
        (whole, accuracy), (full, _), (part, of_part) = (
            fitted(*each) for each in ((MEMORY_BYTES, False), (size, True), (int(SHARE * size), True))
        )
        yield {
            "head": config.head,
            "seed": seed,
            "images": [len(trained), len(validated), len(tested)],
            "losses": np.round(whole[-1], 4).tolist(),
            "difference_with_all": float(np.abs(np.array(full) - whole).max()),
            "losses_of_10_percent": np.round(part[-1], 4).tolist(),
            "accuracy": round(accuracy, 4),
            "accuracy_of_10_percent": round(of_part, 4),
            "points": round(100 * (of_part - accuracy), 2),
        }


def _logistic(labels: np.ndarray, maps: Any) -> dict[str, Any]:
    from cxrcore.features import graph
    from cxrcore.training import selection
    from cxrcore.training.selection import Candidate, Examples

    def vectors(_: Candidate, rows: np.ndarray) -> np.ndarray:
        found = [maps.rows(chunk) for chunk in maps.chunks(rows)]
        return np.concatenate([graph.summary(np.concatenate([x, x**2], axis=-1), of_moments=True) for x in found])

    rows = np.arange(len(labels))
    names, copies = [str(row) for row in rows], np.empty((len(rows), 0), int)
    examples = Examples(rows, labels, names, np.eye(3)[labels], np.ones(len(rows)), copies)
    kernels, seconds = [], []
    for memory in (2**40, 0):
        start = perf_counter()
        kernels.append(selection.fit(Candidate(SIDE, "any"), vectors, examples, 1e-3, memory).model.kernel)
        seconds.append(round(perf_counter() - start, 2))
    difference = float(np.abs(kernels[0] - kernels[1]).max() / np.abs(kernels[0]).max())
    return {"head": "logistic", "images": len(rows), "seconds": seconds, "relative_difference": difference}


if __name__ == "__main__":
    main()
