"""Which layer of a backbone to learn from: every tap tried by a linear probe, beside what it costs."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset, split
from cxrcore.evaluation import linear_probe
from cxrcore.features import backbones, extract, image_transforms, weights
from cxrcore.features.config import FeatureSpec
from cxrcore.features.predict import forward
from cxrcore.features.store import Store
from cxrcore.training import resampling, training_data
from cxrcore.training.run_recorder import Listener

MOST = 320  # images: so the slowest backbone takes about a minute and a half on two cores


def suggest(config: RunConfig, listener: Listener) -> dict[str, Any]:
    """Return `taps`, from shallow to deep, and the name of the one `suggested`.

    Each tap has its `map` (height, width, channels), `accuracy` with `ci95` and `n` of a linear probe on the pooled
    map, cross-validated by patient, and the `milliseconds` an image takes to get there. Only images that the run would
    train or validate on are looked at, at most `MOST`: its test images stay unseen. Suggested is the cheapest tap whose
    accuracy lies within one standard error of the best one's (Breiman et al. 1984, 3.4.3).

    Raises:
        UserError: the dataset or the weights are not there.
    """
    data = dataset.load(config.dataset, config.dataset_version)
    parts = resampling.splits(config, data.usable)[0]
    table = _sample(data.usable[parts != split.TEST], config.split.seed)
    backbone = backbones.get(config.backbone)
    found = weights.resolve(backbone, config.weights, config.weights_file, config.seed)
    deepest = replace(training_data.spec_of(config, found.digest), tap=backbone.taps[-1], engine="")
    listener("backbone", 0, 0)
    features = deepest.build(found)
    specs = [replace(deepest, tap=tap, pooled=True) for tap in backbone.taps]
    _compute(table, specs, features, listener)
    rows = []
    for number, spec in enumerate(specs, start=1):
        vectors = Store(spec).read(list(table["sha256"])).rows(range(len(table)))[:, 0, 0]
        layer = features.get_layer("backbone").get_layer(spec.tap)
        shape = [int(side) for side in layer.output.shape[1:]]
        measured = linear_probe.measure(vectors, table["label"], table)
        rows.append({"tap": spec.tap, "map": shape, "milliseconds": _cost(features, spec.tap)} | measured)
        listener("probing", number, len(specs))
    return {"taps": rows, "suggested": _choose(rows)}


def _sample(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return at most `MOST` rows, as many patients of each class as there are in the whole."""
    if len(table) <= MOST:
        return table.reset_index(drop=True)
    fold = split.folds(list(table["label"]), list(table["patient"]), -(-len(table) // MOST), seed)
    return table[fold == 0].head(MOST).reset_index(drop=True)


def _compute(table: pd.DataFrame, specs: list[FeatureSpec], features: Any, listener: Listener) -> None:
    """Keep the pooled maps of all taps; each image passes the backbone once for all of them."""
    from cxrcore.features.keras_setup import keras

    stores = [Store(spec) for spec in specs]
    missing = {value for store in stores for value in store.missing(table["sha256"])}
    rows = table[table["sha256"].isin(missing)].drop_duplicates("sha256")
    if rows.empty:
        return
    backbone = features.get_layer("backbone")
    pooled = [keras.layers.GlobalAveragePooling2D(keepdims=True)(backbone.get_layer(s.tap).output) for s in specs]
    inner = keras.Model(backbone.input, pooled)
    together = keras.layers.Concatenate()(inner(features.get_layer("preprocess").output))
    model = keras.Model(features.input, together)
    ends = np.cumsum([maps.shape[-1] for maps in pooled])[:-1]
    hashes, done = list(rows["sha256"]), 0
    held: list[np.ndarray] = []
    listener("features", 0, len(rows))
    for pixels in extract.batches([Path(path) for path in rows["path"]], specs[0].size, hashes):
        seen = image_transforms.apply(pixels, specs[0].alteration)
        held.append(forward(model, seen))
        done += len(pixels)
        listener("features", done, len(rows))
    for store, maps in zip(stores, np.split(np.concatenate(held), ends, axis=-1), strict=True):
        store.add(hashes, maps)


def _cost(features: Any, tap: str) -> float:
    """Return the milliseconds an image takes to `tap`: the faster of two batches, after one to warm up."""
    from cxrcore.features.keras_setup import keras

    backbone = features.get_layer("backbone")
    cut = keras.Model(backbone.input, backbone.get_layer(tap).output)
    pixels = np.zeros((extract.BATCH, *backbone.input_shape[1:]), np.float32)
    seconds = []
    for _ in range(3):
        start = perf_counter()
        cut(pixels, training=False)
        seconds.append(perf_counter() - start)
    return 1000 * min(seconds[1:]) / extract.BATCH


def _choose(rows: list[dict[str, Any]]) -> str:
    best = max(rows, key=lambda row: row["accuracy"])
    error = np.sqrt(best["accuracy"] * (1 - best["accuracy"]) / best["n"])
    near = [row for row in rows if row["accuracy"] >= best["accuracy"] - error]
    return str(min(near, key=lambda row: row["milliseconds"])["tap"])
