"""The data of a run: the cached features of every image, and of the augmented copies of those it is trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.features import extract, graph
from cxrcore.features.augmentation import AugmentationRanges
from cxrcore.features.feature_maps import ComputedFeatureMaps, FeatureMaps
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Activations, Store
from cxrcore.features.weights import Weights
from cxrcore.inference.labels import class_indices
from cxrcore.training.run_recorder import RunRecorder


@dataclass(frozen=True)
class TrainingData:
    """The feature maps of a run, and what belongs to each row of them.

    Attributes:
        table: the images, one row each.
        classes: names, in the order of the class indices.
        labels: class indices, int (rows of `maps`,).
        maps: at the tap: the images of `table`, then copy 1 of those that are augmented, copy 2, and so on.
        views: 1 plus the number of augmented copies.
        augmented: numbers of the augmented images, int, ascending.
        cut: with fine-tuning, the maps where the backbone is cut; `maps` are then computed from them.
        tail: with fine-tuning, the part of the backbone after the cut, which is trained.
    """

    table: pd.DataFrame
    classes: list[str]
    labels: np.ndarray
    maps: FeatureMaps
    views: int
    augmented: np.ndarray
    cut: Activations | None = None
    tail: Any = None

    def rows(self, part: str, parts: pd.Series) -> np.ndarray:
        """Return the row numbers of a part; those of the training part include all copies, block by block."""
        images = np.flatnonzero(parts == part)
        if part != dataset.TRAIN or self.views == 1:
            return images
        place = np.searchsorted(self.augmented, images)
        offsets = [len(self.table) + view * len(self.augmented) for view in range(self.views - 1)]
        return np.concatenate([images, *(place + offset for offset in offsets)])


def feature_keys(config: RunConfig, digest: str) -> list[FeatureKey]:
    """Return the keys of the activations that a run needs: of the images, and after it of each augmented copy."""
    first = config.key(digest)
    if config.tune:
        first = replace(first, tap=config.tune.after, cut=True)
    if not config.augment:
        return [first]
    ranges = AugmentationRanges(**config.augment.model_dump(exclude={"views"}))
    return [first, *(replace(first, view=k, ranges=ranges) for k in range(1, config.augment.views + 1))]


def needs_backbone(config: RunConfig, digest: str, table: pd.DataFrame) -> bool:
    """Return whether the backbone of a run has to be built: for images whose features are not kept, or to be tuned."""
    return config.tune is not None or bool(Store(config.key(digest)).missing(table["sha256"]))


def build_training_data(
    config: RunConfig,
    table: pd.DataFrame,
    trained: np.ndarray,
    classes: list[str],
    weights: Weights,
    features: Callable[[], Any],
    recorder: RunRecorder,
) -> TrainingData:
    """Return the training data, computing the activations that are not kept yet.

    Args:
        config: of the run.
        table: the images.
        trained: which rows are trained on in any fold or repeat, bool (n,).
        classes: names, in the order of the class indices.
        weights: of the backbone.
        features: returns the run's own model from pixels to the tap.
        recorder: of the run.

    Raises:
        UserError: an image is missing, or the disk is full.
    """
    keys, augmented = feature_keys(config, weights.digest), np.flatnonzero(trained)
    tables = [table, *(table.iloc[augmented] for _ in keys[1:])]
    total, done = sum(map(len, tables)), 0
    recorder.stage("features", total)
    model = cache(partial(keys[0].build, weights)) if config.tune else features
    parts = []
    for key, rows in zip(keys, tables, strict=True):
        callbacks = extract.ExtractionCallbacks(partial(_report, recorder, done, total), recorder.check)
        parts.append(extract.activations(rows, key, weights, model, callbacks))
        done += len(rows)
    kept = Activations.joined(parts)
    labels = class_indices(table["label"], classes)
    labels = np.concatenate([labels, *(labels[augmented] for _ in keys[1:])])
    if not config.tune:
        return TrainingData(table, classes, labels, kept, len(keys), augmented)
    tail = graph.backbone_tail(features().get_layer("backbone"), config.tune.after)
    return TrainingData(table, classes, labels, ComputedFeatureMaps(kept, tail), len(keys), augmented, kept, tail)


def _report(recorder: RunRecorder, before: int, total: int, done: int, _: int) -> None:
    recorder.progress(before + done, total)
