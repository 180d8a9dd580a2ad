"""How many test patients a result needs to be precise, for accuracy, ROC AUC and calibration.

Every number counts patients with one image each, as images of one patient are not independent. The criteria for AUC and
calibration are those of Riley et al. 2021 (Statistics in Medicine 40:4230-4251, doi:10.1002/sim.9025) for a binary
outcome, with the targets of the paper. Here they are applied to each class against the rest, and the class that needs
most patients decides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from cxrcore.evaluation import probability_metrics
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.messages import Message, msg

HALF_WIDTH = 0.05  # of the 95 % interval of the accuracy, and of the AUC
CALIBRATION_WIDTH = 0.2  # of the 95 % intervals of observed over expected, and of the calibration slope
_Z = 1.959964
_FEWEST = 10  # patients with and without the class, for the normal interval of an AUC
_CLOSEST = 1e-6  # to 0 and 1 of a probability whose logit is taken


@dataclass(frozen=True)
class SampleSize:
    """Test patients needed; None where the formula gives none, as for an observed AUC of 1.

    Attributes:
        accuracy: for an interval of the accuracy of at most +-`HALF_WIDTH`.
        auc: for such an interval of the ROC AUC of every class.
        calibration: for intervals of `CALIBRATION_WIDTH` of observed over expected and of the slope, of every class.
    """

    accuracy: int
    auc: int | None
    calibration: int | None


def needed(table: pd.DataFrame, classes: Sequence[str], positive: str = "") -> SampleSize:
    """Return the test patients needed for a result like that of a prediction table of at least one image.

    Accuracy, AUC, the shares of the classes and the distribution of the probabilities are those of the table. Of a
    two-class question only the `positive` class counts, "" for more classes. Classes without images are left out.
    """
    weights = np.ones((1, len(table)))
    aucs: list[int | None] = []
    calibrations: list[int | None] = []
    for name, column in zip(classes, probability_columns(classes), strict=True):
        true, score = (table["label"] == name).to_numpy(), table[column].to_numpy(float)
        if (positive and name != positive) or not true.any() or true.all():
            continue
        prevalence = float(true.mean())
        aucs.append(for_auc(float(probability_metrics.roc_auc(true, score, weights)[0]), prevalence))
        slope, large = for_slope(logit(np.clip(score, _CLOSEST, 1 - _CLOSEST))), for_observed_over_expected(prevalence)
        calibrations.append(None if slope is None else max(slope, large))
    return SampleSize(for_accuracy(float(table["correct"].mean())), _most(aucs), _most(calibrations))


def sentences(found: SampleSize, patients: int) -> list[Message]:
    """Return the numbers in words, beside the `patients` that there are."""
    said = [
        msg(
            "For an accuracy within 5 points (95% interval), about {n:,} test patients are needed; there are "
            "{patients:,}.",
            n=found.accuracy,
            patients=patients,
        )
    ]
    if found.auc is not None:
        said.append(msg("For the ROC AUC of every class within 0.05: {n:,}.", n=found.auc))
    if found.calibration is not None:
        said.append(
            msg(
                "For the calibration of every class (observed/expected and slope within 0.1): {n:,}.",
                n=found.calibration,
            )
        )
    return said


def for_accuracy(value: float, half_width: float = HALF_WIDTH) -> int:
    """Return n for which Wilson's 95 % interval of an accuracy, 0 to 1, has at most this half width.

    The half width is z / (1 + z^2 / n) sqrt(p q / n + z^2 / (4 n^2)) with q = 1 - p. Equal to h for
    n = z^2 (p q - 2 h^2 + sqrt(p^2 q^2 - 4 p q h^2 + h^2)) / (2 h^2).
    """
    spread, square = value * (1 - value), half_width**2
    root = math.sqrt(spread**2 - 4 * spread * square + square)
    return math.ceil(_Z**2 * (spread - 2 * square + root) / (2 * square))


def for_auc(auc: float, prevalence: float, half_width: float = HALF_WIDTH) -> int | None:
    """Return the smallest n for which the 95 % interval of an AUC has at most this half width; None where the formula
    does not hold: it takes the standard error of an AUC of 0 or 1 for 0, and asks near them for a few patients only.

    SE(C)^2 = C (1 - C) (1 + (n / 2 - 1) ((1 - C) / (2 - C) + C / (1 + C))) / (n^2 f (1 - f)), with C the AUC and f the
    prevalence (Riley et al. 2021, from Newcombe 2006, doi:10.1002/sim.2324); the interval is C +- z SE.
    """
    if auc <= 0 or auc >= 1:
        return None
    ratio = (1 - auc) / (2 - auc) + auc / (1 + auc)
    target = (half_width / _Z) ** 2
    # n^2 target f (1 - f) = C (1 - C) (1 - ratio + n ratio / 2), a quadratic equation in n
    a, b, c = target * prevalence * (1 - prevalence), auc * (1 - auc) * ratio / 2, auc * (1 - auc) * (1 - ratio)
    n = math.ceil((b + math.sqrt(b**2 + 4 * a * c)) / (2 * a))
    return n if n * min(prevalence, 1 - prevalence) >= _FEWEST else None


def for_observed_over_expected(prevalence: float, width: float = CALIBRATION_WIDTH) -> int:
    """Return n for which the 95 % interval of observed over expected cases has this width around 1.

    SE(ln(O/E))^2 = (1 - f) / (n f), with f the prevalence; the interval is exp(+-z SE), of width 2 sinh(z SE).
    """
    standard_error = math.asinh(width / 2) / _Z
    return math.ceil((1 - prevalence) / (prevalence * standard_error**2))


def for_slope(logits: np.ndarray, width: float = CALIBRATION_WIDTH) -> int | None:
    """Return n for which the 95 % interval of the calibration slope has this width, of logits (m,) as observed; None
    where they do not vary.

    SE(b)^2 = I_a / (n (I_a I_b - I_ab^2)) with, as means over the images, I_a of w, I_ab of w x and I_b of w x^2, where
    x is the logit and w = p (1 - p) its variance, for a calibrated model (Riley et al. 2021).
    """
    variance = expit(logits) * expit(-logits)
    whole, first, second = (float((variance * logits**power).mean()) for power in (0, 1, 2))
    information = whole * second - first**2
    if information <= 1e-12 * whole:
        return None
    return math.ceil(whole / (information * (width / (2 * _Z)) ** 2))


def _most(values: Sequence[int | None]) -> int | None:
    """Return the largest value that is known."""
    return max(filter(None, values), default=None)
