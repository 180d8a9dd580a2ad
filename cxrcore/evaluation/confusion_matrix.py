"""Statistics of confusion matrices, many at once: (..., C, C), rows true, columns predicted; NaN where undefined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassPair:
    """`n` images of class `true` that are predicted as `predicted`, and their `share` of the class, 0 to 1."""

    true: str
    predicted: str
    n: int
    share: float


def pairs(matrix: Sequence[Sequence[int]], classes: Sequence[str], name: str = "") -> list[ClassPair]:
    """Return the pairs of classes that are confused in a matrix (C, C), most images first; of a `name` its whole row
    and column, the correct predictions too.
    """
    found = [
        ClassPair(true, predicted, int(count), count / sum(row))
        for true, row in zip(classes, matrix, strict=True)
        for predicted, count in zip(classes, row, strict=True)
        if count and (name in (true, predicted) if name else true != predicted)
    ]
    return sorted(found, key=lambda pair: (-pair.n, -pair.share))


def f1(matrices: np.ndarray) -> np.ndarray:
    """Return F1 = 2 TP / (2 TP + FP + FN) by class; NaN where a class is neither present nor predicted."""
    correct = np.diagonal(matrices, axis1=-2, axis2=-1)
    return _divide(2 * correct, matrices.sum(axis=-1) + matrices.sum(axis=-2))


def proportions(matrices: np.ndarray) -> np.ndarray:
    """Return sensitivity, specificity and positive and negative predictive value by class, (..., 4, C)."""
    correct = np.diagonal(matrices, axis1=-2, axis2=-1)
    true, predicted, total = matrices.sum(axis=-1), matrices.sum(axis=-2), matrices.sum(axis=(-2, -1))[..., None]
    both_other = total - true - predicted + correct
    pairs = [(correct, true), (both_other, total - true), (correct, predicted), (both_other, total - predicted)]
    return np.stack([_divide(part, whole) for part, whole in pairs], axis=-2)


def accuracy(matrices: np.ndarray) -> np.ndarray:
    """Return the share of correct predictions."""
    return _divide(np.trace(matrices, axis1=-2, axis2=-1), matrices.sum(axis=(-2, -1)))


def balanced_accuracy(matrices: np.ndarray) -> np.ndarray:
    """Return the mean sensitivity of the classes that are present."""
    return _mean(_divide(np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(axis=-1)))


def macro_f1(matrices: np.ndarray) -> np.ndarray:
    """Return the mean F1 of the classes that are present or predicted."""
    return _mean(f1(matrices))


def kappa(matrices: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa = (p_o - p_e) / (1 - p_e) (Cohen 1960); NaN if all are of one class and predicted as it."""
    total = matrices.sum(axis=(-2, -1))
    expected = _divide((matrices.sum(axis=-1) * matrices.sum(axis=-2)).sum(axis=-1), total**2)
    return _divide(accuracy(matrices) - expected, 1 - expected)


def matthews(matrices: np.ndarray) -> np.ndarray:
    """Return Matthews's correlation for C classes (Gorodkin 2004); 0 if one side is constant, as in scikit-learn."""
    true, predicted = matrices.sum(axis=-1), matrices.sum(axis=-2)
    total = matrices.sum(axis=(-2, -1))
    covariance = np.trace(matrices, axis1=-2, axis2=-1) * total - (true * predicted).sum(axis=-1)
    spread = (total**2 - (true**2).sum(axis=-1)) * (total**2 - (predicted**2).sum(axis=-1))
    return np.where(spread > 0, _divide(covariance, np.sqrt(np.maximum(spread, 0))), 0.0)


OVERALL = {
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "kappa": kappa,
    "matthews": matthews,
}


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator == 0, np.nan, numerator / denominator)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of the values that are defined."""
    return _divide(np.nansum(values, axis=-1), (~np.isnan(values)).sum(axis=-1))
