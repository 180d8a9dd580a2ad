"""Suggests a feature layer: every tap tried by a linear probe, beside what it costs."""

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset, split
from cxrcore.evaluation import linear_probe
from cxrcore.evaluation.linear_probe import ProbeResult
from cxrcore.features import backbones, cache, extract, image_transforms
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import predict
from cxrcore.features.store import Store
from cxrcore.i18n import N_
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress
from cxrcore.training import resampling

MOST = 320  # images: the slowest backbone then takes about a minute and a half on two cores
STAGES = {
    "backbone": N_("Building the backbone"),
    "features": N_("Computing features of all layers in one pass"),
    "probing": N_("Trying each layer"),
}


@dataclass(frozen=True)
class TapResult:
    """A tap: the `map_shape` (height, width, channels), the milliseconds an image takes to it, and the cross-validated
    accuracy of a linear probe on the pooled map.
    """

    tap: str
    map_shape: tuple[int, int, int]
    milliseconds: float
    accuracy: Metric


@dataclass(frozen=True)
class TapSuggestion:
    """The taps from shallow to deep, and the name of the suggested one."""

    taps: list[TapResult]
    suggested: str


def suggest(config: RunConfig, progress: StageProgress) -> TapSuggestion:
    """Return the result of each tap and the suggested one.

    Only images that the run would train or validate on are used, at most `MOST`: its test images are left out.
    Suggested is the cheapest tap whose accuracy lies within one standard error of the best one's (Breiman et al. 1984,
    3.4.3); the standard error is by patient.

    Raises:
        UserError: the dataset or the weights are missing.
    """
    data = dataset.load(config.dataset, config.dataset_version)
    parts = resampling.splits(config, data.usable)[0]
    table = _sample(data.usable[parts != dataset.TEST], config.split.seed)
    backbone, weights = backbones.get(config.backbone), config.resolve()
    deepest = replace(config.key(weights.digest), tap=backbone.taps[-1], engine="")
    progress("backbone", 0, 0)
    features = deepest.build(weights)
    stores = [Store(replace(deepest, tap=tap, pooled=True)) for tap in backbone.taps]
    for store in stores:
        cache.use(store.folder, store)  # so that none is deleted while the others are filled
    _compute(table, stores, backbone.taps, deepest, features, progress)
    taps, probes = [], []
    for number, (tap, store) in enumerate(zip(backbone.taps, stores, strict=True), start=1):
        vectors = store.read(list(table["sha256"])).rows(range(len(table)))[:, 0, 0]
        probe = linear_probe.evaluate(vectors, list(table["label"]), list(table["patient"]))
        height, width, channels = features.get_layer("backbone").get_layer(tap).output.shape[1:]
        taps.append(TapResult(tap, (int(height), int(width), int(channels)), _cost(features, tap), probe.accuracy))
        probes.append(probe)
        progress("probing", number, len(stores))
    return TapSuggestion(taps, choose(taps, probes))


def choose(taps: list[TapResult], probes: list[ProbeResult]) -> str:
    """Return the cheapest tap whose accuracy lies within one standard error of the best one's."""
    accuracies = [probe.accuracy.value or 0.0 for probe in probes]
    best = int(np.argmax(accuracies))
    least = accuracies[best] - probes[best].standard_error
    near = [tap for tap, accuracy in zip(taps, accuracies, strict=True) if accuracy >= least]
    return min(near, key=lambda tap: tap.milliseconds).tap


def _sample(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return at most `MOST` rows, with whole patients of each class in proportion."""
    if len(table) <= MOST:
        return table.reset_index(drop=True)
    fold = split.folds(list(table["label"]), list(table["patient"]), -(-len(table) // MOST), seed)
    return table[fold == 0].head(MOST).reset_index(drop=True)


def _compute(
    table: pd.DataFrame,
    stores: list[Store],
    taps: tuple[str, ...],
    key: FeatureKey,
    features: Any,
    progress: StageProgress,
) -> None:
    """Keep the pooled maps of all taps; each image passes the backbone once for all of them."""
    from cxrcore.features.keras_setup import keras

    missing = {value for store in stores for value in store.missing(table["sha256"])}
    rows = table[table["sha256"].isin(missing)].drop_duplicates("sha256")
    if rows.empty:
        return
    backbone = features.get_layer("backbone")
    pooled = [keras.layers.GlobalAveragePooling2D(keepdims=True)(backbone.get_layer(tap).output) for tap in taps]
    inner = keras.Model(backbone.input, pooled)
    joined = keras.layers.Concatenate()(inner(features.get_layer("preprocess").output))
    model = keras.Model(features.input, joined)
    ends = np.cumsum([maps.shape[-1] for maps in pooled])[:-1]
    hashes, done = list(rows["sha256"]), 0
    computed: list[np.ndarray] = []
    progress("features", 0, len(rows))
    for pixels in extract.batches([Path(path) for path in rows["path"]], key.size, hashes):
        computed.append(predict(model, image_transforms.apply(pixels, key.image_transform)))
        done += len(pixels)
        progress("features", done, len(rows))
    for store, maps in zip(stores, np.split(np.concatenate(computed), ends, axis=-1), strict=True):
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
