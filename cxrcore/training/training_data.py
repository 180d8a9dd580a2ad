"""What a run learns from: the kept activations of every image, and of the augmented views of those it is trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import split
from cxrcore.features import extract, graph, image_transforms, lung_segmenter, openvino
from cxrcore.features.augmentation import AugmentationRanges
from cxrcore.features.config import FeatureSpec
from cxrcore.features.feature_maps import ComputedFeatureMaps, FeatureMaps
from cxrcore.features.store import Activations
from cxrcore.features.weights import Weights
from cxrcore.training.run_recorder import RunRecorder


@dataclass(frozen=True)
class TrainingData:
    """`maps` at the tap: the images of `table`, then view 1 of those that have views, view 2, and so on.

    `labels` are class numbers of the same rows. `cut` holds the maps where the backbone is cut for fine-tuning, whose
    `upper` part learns; `maps` are then computed from them.
    """

    table: pd.DataFrame
    classes: list[str]
    labels: np.ndarray
    maps: FeatureMaps
    views: int
    viewed: np.ndarray
    cut: Activations | None = None
    upper: Any = None

    def rows(self, part: str, parts: pd.Series) -> np.ndarray:
        """Return the numbers of a part's images; for those to train on, of all their views, block by block."""
        images = np.flatnonzero(parts == part)
        if part != split.TRAIN or self.views == 1:
            return images
        place = np.searchsorted(self.viewed, images)
        ahead = [len(self.table) + view * len(self.viewed) for view in range(self.views - 1)]
        return np.concatenate([images, *(place + offset for offset in ahead)])


def spec_of(config: RunConfig, digest: str) -> FeatureSpec:
    """Return what determines the activations of a run whose weights have this digest."""
    return FeatureSpec(
        config.backbone, digest, config.size, config.preprocessing_mode, config.tap,
        alteration=config.cleaning, lungs=lung_segmenter.digest() if image_transforms.needs_lungs(config.cleaning) else "",
        engine=openvino.engine_for(config.backbone),
    )  # fmt: skip


def specs(config: RunConfig, digest: str) -> list[FeatureSpec]:
    """Return what has to be kept of the images, and after it of each view."""
    first = spec_of(config, digest)
    if config.tune:
        first = replace(first, tap=config.tune.after, cut=True)
    if not config.augment:
        return [first]
    ranges = AugmentationRanges(**config.augment.model_dump(exclude={"views"}))
    return [first, *(replace(first, view=k, ranges=ranges) for k in range(1, config.augment.views + 1))]


def build_training_data(
    config: RunConfig, table: pd.DataFrame, trained: np.ndarray, classes: list[str], found: Weights,
    features: Callable[[], Any], recorder: RunRecorder,
) -> TrainingData:  # fmt: skip
    """Return the material, computing what is not kept yet. `trained` says which rows are ever trained on;
    `features` gives the run's own model from pixels to the tap.

    Raises:
        UserError: an image is gone, or the disk is full.
    """
    wanted, viewed = specs(config, found.digest), np.flatnonzero(trained)
    tables = [table, *(table.iloc[viewed] for _ in wanted[1:])]
    total, done, parts = sum(map(len, tables)), 0, []
    recorder.stage("features", total)
    model = cache(partial(wanted[0].build, found)) if config.tune else features
    for spec, rows in zip(wanted, tables, strict=True):
        hooks = extract.Hooks(partial(_report, recorder, done, total), recorder.check)
        parts.append(extract.activations(rows, spec, model, hooks))
        done += len(rows)
    kept = Activations.joined(parts)
    labels = table["label"].map({name: number for number, name in enumerate(classes)}).to_numpy()
    labels = np.concatenate([labels, *(labels[viewed] for _ in wanted[1:])])
    if not config.tune:
        return TrainingData(table, classes, labels, kept, len(wanted), viewed)
    upper = graph.backbone_tail(features().get_layer("backbone"), config.tune.after)
    return TrainingData(table, classes, labels, ComputedFeatureMaps(kept, upper), len(wanted), viewed, kept, upper)


def _report(recorder: RunRecorder, before: int, total: int, done: int, _: int) -> None:
    recorder.progress(before + done, total)
