"""A linear probe on the features of transformed images: how much of what predicts the class is left in them.

The features are those of a run's backbone with its original weights: a fine-tuned backbone was trained with the labels
of the images that the probe would hold out.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.evaluation import linear_probe
from cxrcore.features import extract, graph, openvino
from cxrcore.features.config import FeatureConfig
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.messages import Message
from cxrcore.metric import Metric
from cxrcore.progress import TaskProgress, ignore_stages
from cxrcore.runs import Run


def chance(labels: Sequence[str]) -> float:
    """Return the share of the largest class, 0 to 1."""
    return float(pd.Series(labels).value_counts(normalize=True).max())


def probe_accuracy(vectors: np.ndarray, table: pd.DataFrame, column: str = "label", confidence: float = 0.95) -> Metric:
    """Return the cross-validated accuracy of predicting a column of `table` from vectors (n, c) of its rows."""
    return linear_probe.accuracy(vectors, list(table[column]), list(table["patient"]), confidence=confidence)


def missing(
    config: FeatureConfig, digest: str, table: pd.DataFrame, image_transform: str, lungs_from_files: bool = False
) -> int:
    """Return how many images of `table` would pass the backbone, whose weights have this digest, in `extract`."""
    pooled = config.key(digest, image_transform, lungs_from_files, pooled=True)
    absent = Store(pooled).missing(table["sha256"])
    return len(absent) if _missing_parts(pooled, absent) else 0


class MaskedFeatures:
    """The features of transformed images by the backbone of a run, which is built once for all transforms."""

    def __init__(self, run: Run, progress: TaskProgress = ignore_stages) -> None:
        """Resolve the weights; `progress` is called with the stage of each `extract`.

        Raises:
            UserError: the weights are missing.
        """
        self._config, self._progress = run.config, progress
        self._weights = self._config.resolve()

    def extract(
        self, table: pd.DataFrame, image_transform: str, stage: str | Message, lungs_from_files: bool = False
    ) -> np.ndarray:
        """Return the pooled features of images after an image transform, float32 (n, c).

        Args:
            table: with `path` and `sha256`.
            image_transform: in place of the run's own, see `image_transforms`.
            stage: what is computed, for the progress.
            lungs_from_files: whether lungs come from mask files instead of the segmenter.

        Raises:
            UserError: an image is missing.
        """
        key = self._config.key(self._weights.digest, image_transform, lungs_from_files, pooled=True)
        _add_means(key, Store(key).missing(table["sha256"]))
        callbacks = extract.ExtractionCallbacks(progress=partial(self._progress, stage))
        kept = extract.activations(table, key, self._weights, lambda: self._model, callbacks)
        return graph.summary(kept.rows(range(len(table))), self._config.moments)

    @cached_property
    def _model(self) -> Any:
        """The backbone up to the run's tap, the same for every transform; compiled once where OpenVINO is used."""
        key = self._config.key(self._weights.digest, pooled=True)
        return openvino.compiled(key.build(self._weights), key.engine)


def _parts(key: FeatureKey) -> list[Store]:
    """Return the stores from whose content the means of `key` follow: the maps, or the means of each tap."""
    if key.moments:
        return [Store(replace(key, tap=tap)) for tap in key.taps] if len(key.taps) > 1 else []
    return [Store(replace(key, pooled=False))]


def _missing_parts(key: FeatureKey, hashes: list[str]) -> bool:
    parts = _parts(key)
    return not parts or any(store.missing(hashes) for store in parts)


def _add_means(key: FeatureKey, hashes: list[str]) -> None:
    """Keep the means of `key` of images whose maps, or means of each tap, are kept, as those of a run are."""
    if not hashes or _missing_parts(key, hashes):
        return
    means = []
    for store in _parts(key):
        maps = store.read(hashes)
        chunks = maps.chunks(np.arange(len(maps)))
        means.append(np.concatenate([maps.rows(rows).mean(axis=(1, 2), keepdims=True) for rows in chunks]))
    if key.moments:  # values of all taps, then their squares
        halves = [np.split(each, 2, axis=-1) for each in means]
        means = [values for values, _ in halves] + [squares for _, squares in halves]
    Store(key).add(hashes, np.concatenate(means, axis=-1))
