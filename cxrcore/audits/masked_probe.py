"""A linear probe on the features of transformed images: how much of what predicts the class is left in them.

The features are those of a run's backbone with its original weights: a fine-tuned backbone was trained with the labels
of the images that the probe would hold out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrcore.evaluation import linear_probe
from cxrcore.features import extract
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, of_stage
from cxrcore.runs import Run


def chance(labels: Sequence[str]) -> float:
    """Return the share of the largest class, 0 to 1."""
    return float(pd.Series(labels).value_counts(normalize=True).max())


def probe_accuracy(vectors: np.ndarray, table: pd.DataFrame, column: str = "label") -> Metric:
    """Return the cross-validated accuracy of predicting a column of `table` from vectors (n, c) of its rows."""
    return linear_probe.accuracy(vectors, list(table[column]), list(table["patient"]))


def features(
    run: Run,
    table: pd.DataFrame,
    image_transform: str,
    progress: StageProgress,
    stage: str,
    lungs_from_files: bool = False,
) -> np.ndarray:
    """Return the pooled features of the images of `table` after an image transform, float32 (n, c).

    Args:
        run: its config names the backbone.
        table: with `path` and `sha256`.
        image_transform: in place of the run's own, see `image_transforms`.
        progress: called with `stage`.
        stage: what is computed.
        lungs_from_files: whether lungs come from mask files instead of the segmenter.

    Raises:
        UserError: weights or images are missing.
    """
    config = run.config
    weights = config.resolve()
    key = config.key(weights.digest, image_transform, lungs_from_files, pooled=True)
    callbacks = extract.ExtractionCallbacks(progress=of_stage(progress, stage))
    kept = extract.activations(table, key, lambda: key.build(weights), callbacks)
    return kept.rows(range(len(table)))[:, 0, 0]
