"""Metrics of the probabilities: areas under the ROC and precision-recall curves, Brier score, calibration error.

All of them take weights, (R, n) for R resamples of n images, so that one sort serves every resample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrcore.evaluation import intervals
from cxrcore.evaluation.intervals import proportion
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.inference.labels import class_indices
from cxrcore.metric import Metric

BINS = 10


@dataclass(frozen=True)
class ClassScores:
    """One class against the rest; without a value for a class that does not occur."""

    roc_auc: Metric
    average_precision: Metric


@dataclass(frozen=True)
class ProbabilityMetrics:
    """`brier` is 0 (best) to 2; `ece`, the expected calibration error, 0 (best) to 1."""

    by_class: dict[str, ClassScores]
    brier: Metric
    ece: Metric


@dataclass(frozen=True)
class ReliabilityBin:
    """The mean `confidence` and the `accuracy` of the images in one bin of confidence."""

    confidence: float
    accuracy: Metric


def evaluate(table: pd.DataFrame, classes: Sequence[str], seed: int = 0) -> ProbabilityMetrics:
    """Return the metrics of a prediction table, with bootstrap intervals over patients."""
    probabilities = table[probability_columns(classes)].to_numpy(float)
    true = class_indices(table["label"], classes)

    def statistics(weights: np.ndarray) -> np.ndarray:
        by_class = [area for k in range(len(classes)) for area in _areas(true == k, probabilities[:, k], weights)]
        return np.stack([*by_class, brier(true, probabilities, weights), ece(true, probabilities, weights)], axis=-1)

    values = statistics(np.ones((1, len(table))))[0]
    bounds = intervals.of_weights(table["patient"].tolist(), statistics, seed)
    metrics = [intervals.with_bounds(value, pair, len(table)) for value, pair in zip(values, bounds.T, strict=True)]
    by_class = {name: ClassScores(metrics[2 * k], metrics[2 * k + 1]) for k, name in enumerate(classes)}
    return ProbabilityMetrics(by_class, brier=metrics[-2], ece=metrics[-1])


def calibration_scores(table: pd.DataFrame, classes: Sequence[str], seed: int = 0) -> tuple[Metric, Metric]:
    """Return the expected calibration error and the Brier score of a prediction table, with bootstrap intervals over
    patients.
    """
    probabilities = table[probability_columns(classes)].to_numpy(float)
    true = class_indices(table["label"], classes)

    def statistics(weights: np.ndarray) -> np.ndarray:
        return np.stack([ece(true, probabilities, weights), brier(true, probabilities, weights)], axis=-1)

    values = statistics(np.ones((1, len(table))))[0]
    bounds = intervals.of_weights(table["patient"].tolist(), statistics, seed)
    found = [intervals.with_bounds(value, pair, len(table)) for value, pair in zip(values, bounds.T, strict=True)]
    return found[0], found[1]


def lowest_auc(found: ProbabilityMetrics, positive: str, most: int = 10) -> list[str]:
    """Return the classes to draw: the `positive` one of a two-class question, else the `most` of the lowest ROC AUC, in
    the order of the run. Classes that do not occur have none and come last.
    """
    if positive:
        return [positive]
    areas = {name: scores.roc_auc.value for name, scores in found.by_class.items()}
    chosen = sorted(areas, key=lambda name: 2.0 if (area := areas[name]) is None else area)[:most]
    return [name for name in areas if name in chosen]


def roc_auc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve, (R,): P(score of a positive > of a negative) + half of the ties."""
    return _areas(positive, score, weights)[0]


def average_precision(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return sum over thresholds of (R_n - R_{n-1}) P_n, (R,), thresholds from high to low."""
    return _areas(positive, score, weights)[1]


def _areas(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the areas under the ROC and the precision-recall curve, of one sort."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    # By distinct score, from low to high, (distinct scores, R).
    images = np.add.reduceat(weights.T[order], starts, axis=0)
    positives = np.add.reduceat(weights.T[order] * positive[order, None], starts, axis=0)
    up_to, positives_up_to = np.cumsum(images, axis=0), np.cumsum(positives, axis=0)
    total, hits = up_to[-1], positives_up_to[-1]
    negatives = images - positives
    area = (positives * (up_to - positives_up_to - negatives / 2)).sum(axis=0)
    predicted, true_positive = total - up_to + images, hits - positives_up_to + positives  # at this threshold
    precision = np.nan_to_num(_divide(true_positive, predicted))
    return _divide(area, hits * (total - hits)), _divide((positives * precision).sum(axis=0), hits)


def brier(true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the Brier score, (R,): the mean over images of the sum over classes of (p - y)^2, 0 to 2 (Brier 1950)."""
    errors = ((probabilities - np.eye(probabilities.shape[1])[true]) ** 2).sum(axis=1)
    return np.asarray(weights @ errors / weights.sum(axis=1))


def ece(true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the expected calibration error, (R,): the mean |confidence - accuracy| over `BINS` bins of confidence.

    Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    inside = _bin(confidence)[:, None] == np.arange(BINS)
    gaps = np.abs(weights @ (inside * (confidence - correct)[:, None]))
    return np.asarray(gaps.sum(axis=1) / weights.sum(axis=1))


def reliability(true: np.ndarray, probabilities: np.ndarray) -> list[ReliabilityBin]:
    """Return the bins of confidence that hold images, of class indices (n,) and probabilities (n, classes)."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    bins = _bin(confidence)
    inside = [bins == k for k in np.unique(bins)]
    return [
        ReliabilityBin(float(confidence[rows].mean()), proportion(int(correct[rows].sum()), int(rows.sum())))
        for rows in inside
    ]


def _bin(confidence: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum((confidence * BINS).astype(int), BINS - 1))


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the quotient, NaN for 0 / 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(numerator / denominator)
