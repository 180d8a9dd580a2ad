"""Temperature scaling: one parameter that calibrates the probabilities without changing any predicted class.

q_k = exp(z_k / T) / sum_j exp(z_j / T), with T fitted on validation images by their negative log likelihood (Guo et al.
2017, arXiv:1706.04599). The logits z are known from the probabilities up to a constant, which cancels: z = log p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from cxrcore.evaluation import intervals
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.evaluation.probability_metrics import calibration_scores
from cxrcore.inference.labels import class_indices
from cxrcore.metric import Metric
from cxrcore.runs import Run

# Candidate temperatures, 0.05 to 20, each 1 % above the one before.
_CANDIDATES = np.exp(np.arange(np.log(0.05), np.log(20), 0.01))
_SMALLEST = 1e-12  # a float32 softmax can be 0, whose logarithm is not finite
_BLOCK = 512
MOST = 10_000  # images: each has a loss at each candidate


def fit_temperature(validation: pd.DataFrame, classes: Sequence[str]) -> Metric:
    """Return the temperature of a prediction table, above 1 for an over-confident model.

    It is fitted on a random sample of `MOST` images if there are more; n counts those it is fitted on.
    The interval is the bootstrap over patients. The value is None where none can be fitted: without images, where all
    are correct (then the lowest is the best), or where the best is the first or last candidate.
    """
    if len(validation) > MOST:
        validation = validation.sample(MOST, random_state=0)
    n = len(validation)
    if validation["correct"].all():
        return Metric(None, n=n)
    losses = _losses(validation, classes)
    best = int(losses.mean(axis=0).argmin())
    if best in (0, len(_CANDIDATES) - 1):
        return Metric(None, n=n)

    def fitted(weights: np.ndarray) -> np.ndarray:
        return np.asarray(_CANDIDATES[(weights @ losses).argmin(axis=1)])

    return intervals.with_bounds(_CANDIDATES[best], intervals.of_weights(validation["patient"].tolist(), fitted), n)


def scaled(table: pd.DataFrame, classes: Sequence[str], temperature: float) -> pd.DataFrame:
    """Return the prediction table with the probabilities at this temperature."""
    probabilities = softmax(_logits(table, classes) / temperature, axis=1)
    return table.assign(**dict(zip(probability_columns(classes), probabilities.T, strict=True)))


@dataclass(frozen=True)
class CalibrationEffect:
    """Expected calibration error and Brier score of calibrated probabilities, and of the same `before` the logits were
    divided by the `temperature`.
    """

    temperature: float
    ece: Metric
    ece_before: Metric
    brier: Metric
    brier_before: Metric


def effect(table: pd.DataFrame, classes: Sequence[str], temperature: float) -> CalibrationEffect:
    """Return what a temperature changed, from a prediction table with the probabilities p after it.

    Those before it are p^temperature, divided by their sum.
    """
    ece, brier = calibration_scores(table, classes)
    ece_before, brier_before = calibration_scores(scaled(table, classes, 1 / temperature), classes)
    return CalibrationEffect(temperature, ece, ece_before, brier, brier_before)


def of_run(run: Run) -> CalibrationEffect | None:
    """Return the effect of a run's temperature on the test images of its model, None for a head without one."""
    found = run.selection
    return effect(run.predictions("test"), run.classes, found.temperature) if found and run.metrics else None


def _losses(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the negative log likelihood of each image at each temperature, float32 (n, temperatures)."""
    logits = _logits(table, classes)
    logits = (logits - logits.max(axis=1, keepdims=True)).astype(np.float32)  # no exponential is too large
    true = class_indices(table["label"], classes)
    at_true = logits[np.arange(len(table)), true]
    inverse = (1 / _CANDIDATES).astype(np.float32)
    losses = np.empty((len(table), len(_CANDIDATES)), np.float32)
    for start in range(0, len(table), _BLOCK):
        rows = slice(start, start + _BLOCK)
        exponentials = np.exp(logits[rows, None] * inverse[:, None])
        losses[rows] = np.log(exponentials.sum(axis=2)) - at_true[rows, None] * inverse
    return losses


def _logits(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return np.asarray(np.log(np.maximum(table[probability_columns(classes)].to_numpy(float), _SMALLEST)))
