"""A linear probe on the features of transformed images: how much of what predicts the class is left in them.

The features are those of a run's backbone with its original weights: a fine-tuned backbone was trained with the labels
of the images that the probe would hold out.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.evaluation import linear_probe
from cxrcore.features import extract, graph, openvino
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, ignore_stages, of_stage
from cxrcore.runs import Run


def chance(labels: Sequence[str]) -> float:
    """Return the share of the largest class, 0 to 1."""
    return float(pd.Series(labels).value_counts(normalize=True).max())


def probe_accuracy(vectors: np.ndarray, table: pd.DataFrame, column: str = "label") -> Metric:
    """Return the cross-validated accuracy of predicting a column of `table` from vectors (n, c) of its rows."""
    return linear_probe.accuracy(vectors, list(table[column]), list(table["patient"]))


class MaskedFeatures:
    """The features of transformed images by the backbone of a run, which is built once for all transforms."""

    def __init__(self, run: Run, progress: StageProgress = ignore_stages) -> None:
        """Resolve the weights; `progress` is called with the stage of each `extract`.

        Raises:
            UserError: the weights are missing.
        """
        self._config, self._progress = run.config, progress
        self._weights = self._config.resolve()

    def extract(
        self, table: pd.DataFrame, image_transform: str, stage: str, lungs_from_files: bool = False
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
        callbacks = extract.ExtractionCallbacks(progress=of_stage(self._progress, stage))
        kept = extract.activations(table, key, lambda: self._model, callbacks)
        return graph.summary(kept.rows(range(len(table))), self._config.moments)

    @cached_property
    def _model(self) -> Any:
        """The backbone up to the run's tap, the same for every transform; compiled once where OpenVINO is used."""
        key = self._config.key(self._weights.digest, pooled=True)
        return openvino.compiled(key.build(self._weights), key.engine)
