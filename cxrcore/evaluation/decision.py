"""Decision analysis: decision thresholds, predictive values, and referral of images with low confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrcore.evaluation.intervals import proportion
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.metric import Metric


@dataclass(frozen=True)
class OperatingPoint:
    """One class against the rest at a decision threshold; `ppv` and `npv` hold for its share of the table.

    `matrix` is [[true positive, false negative], [false positive, true negative]].
    """

    sensitivity: Metric
    specificity: Metric
    ppv: Metric
    npv: Metric
    matrix: list[list[int]]


@dataclass(frozen=True)
class Referral:
    """The `accuracy` on the images that are not referred, and `coverage`, their share of all images."""

    accuracy: Metric
    coverage: Metric


def at_threshold(table: pd.DataFrame, name: str, threshold: float) -> OperatingPoint:
    """Return the operating point of class `name`, predicted where its probability is at least `threshold`."""
    positive, predicted = (table["label"] == name).to_numpy(), (table[f"p_{name}"] >= threshold).to_numpy()
    matrix = [[int((row & column).sum()) for column in (predicted, ~predicted)] for row in (positive, ~positive)]
    (true_positive, false_negative), (false_positive, true_negative) = matrix
    return OperatingPoint(
        sensitivity=proportion(true_positive, true_positive + false_negative),
        specificity=proportion(true_negative, true_negative + false_positive),
        ppv=proportion(true_positive, true_positive + false_positive),
        npv=proportion(true_negative, true_negative + false_negative),
        matrix=matrix,
    )


def ppv_at(sensitivity: float, specificity: float, prevalence: float) -> float | None:
    """Return the positive predictive value at a prevalence, 0 to 1; None if nothing is predicted positive.

    Bayes: PPV = se p / (se p + (1 - sp) (1 - p)).
    """
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    predicted = true_positive + false_positive
    return true_positive / predicted if predicted > 0 else None


def npv_at(sensitivity: float, specificity: float, prevalence: float) -> float | None:
    """Return the negative predictive value at a prevalence, 0 to 1; None if nothing is predicted negative.

    The PPV of the other class: sensitivity and specificity change places.
    """
    return ppv_at(specificity, sensitivity, 1 - prevalence)


def with_referral(table: pd.DataFrame, classes: Sequence[str], least: float) -> Referral:
    """Return accuracy and coverage if images with a confidence below `least`, 0 to 1, are referred to a person."""
    kept = table[table[probability_columns(classes)].max(axis=1) >= least]
    return Referral(proportion(int(kept["correct"].sum()), len(kept)), proportion(len(kept), len(table)))


def accuracy_by_coverage(table: pd.DataFrame, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (coverage, accuracy), each (n,), of the 1, 2, ... n images with the highest confidence."""
    order = table[probability_columns(classes)].max(axis=1).sort_values(ascending=False, kind="stable").index
    correct = table["correct"].loc[order].to_numpy()
    count = np.arange(1, len(correct) + 1)
    return count / len(correct), np.cumsum(correct) / count
