"""What the probabilities are worth, beyond the class with the highest: ROC, precision-recall, calibration.

All of them take weights, (R, n) for R resamples of n images, so that one sort serves every resample.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.evaluation import intervals
from cxrcore.evaluation.metrics import probability_columns

BINS = 10


def evaluate(table: pd.DataFrame, classes: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Return, of a prediction table, `by_class` with `roc_auc` and `average_precision`, `brier` and `ece`.

    Each is `{"value", "ci95", "n"}`, with the interval of 2,000 resamples by patient; None where it is not defined, as
    for a class that does not occur.
    """
    probabilities = table[probability_columns(classes)].to_numpy(float)
    true = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()

    def all_of_them(weights: np.ndarray) -> np.ndarray:
        by_class = [
            statistic(true == k, probabilities[:, k], weights)
            for k in range(len(classes))
            for statistic in (roc_auc, average_precision)
        ]
        return np.stack([*by_class, brier(true, probabilities, weights), ece(true, probabilities, weights)], axis=-1)

    values = all_of_them(np.ones((1, len(table))))[0]
    bounds = intervals.weighted(list(table["patient"]), all_of_them, seed)
    found = [_metric(value, low, high, len(table)) for value, (low, high) in zip(values, bounds.T, strict=True)]
    return {
        "by_class": {
            name: {"roc_auc": found[2 * k], "average_precision": found[2 * k + 1]} for k, name in enumerate(classes)
        },
        "brier": found[-2],
        "ece": found[-1],
    }


def roc_auc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve, (R,): P(score of a positive > of a negative) + half of the ties."""
    yes, no = _by_score(positive, score, weights)
    below = np.cumsum(no, axis=1) - no
    with np.errstate(invalid="ignore"):
        return (yes * (below + no / 2)).sum(axis=1) / (yes.sum(axis=1) * no.sum(axis=1))


def average_precision(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return sum over thresholds of (R_n - R_{n-1}) P_n, (R,), thresholds from high to low."""
    yes, no = (part[:, ::-1] for part in _by_score(positive, score, weights))
    hits, called = np.cumsum(yes, axis=1), np.cumsum(yes + no, axis=1)
    with np.errstate(invalid="ignore"):
        precision = np.where(called > 0, hits / called, 0.0)
        return (yes * precision).sum(axis=1) / yes.sum(axis=1)


def brier(true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Brier's score, (R,): the mean over images of the sum over classes of (p - y)^2, 0 to 2 (Brier 1950)."""
    errors = ((probabilities - np.eye(probabilities.shape[1])[true]) ** 2).sum(axis=1)
    return weights @ errors / weights.sum(axis=1)


def ece(true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the expected calibration error, (R,): the mean |confidence - accuracy| over `BINS` bins of confidence.

    Guo et al. 2017, arXiv:1706.04599, equation 3.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    inside = _bin(confidence)[:, None] == np.arange(BINS)
    return np.abs(weights @ (inside * (confidence - right)[:, None])).sum(axis=1) / weights.sum(axis=1)


def reliability(true: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Return, for each bin of confidence that holds images: `confidence` (mean), `right`, `n` and Wilson's `ci95`."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == true
    number = _bin(confidence)
    return [
        {
            "confidence": float(confidence[number == k].mean()),
            "right": int(right[number == k].sum()),
            "n": int((number == k).sum()),
            "ci95": list(intervals.wilson(int(right[number == k].sum()), int((number == k).sum()))),
        }
        for k in np.unique(number)
    ]


def _bin(confidence: np.ndarray) -> np.ndarray:
    return np.minimum((confidence * BINS).astype(int), BINS - 1)


def _by_score(positive: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of positives and of negatives, (R, distinct scores) each, from low scores to high."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    sorted_weights = weights[:, order]
    yes = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    return yes, np.add.reduceat(sorted_weights, starts, axis=1) - yes


def _metric(value: float, low: float, high: float, n: int) -> dict[str, Any]:
    """Return a metric; without an interval where every resample says the same, as no width is not certainty."""
    defined = not np.isnan(value)
    return {
        "value": float(value) if defined else None,
        "ci95": [float(low), float(high)] if defined and low < high else [None, None],
        "n": n,
    }
