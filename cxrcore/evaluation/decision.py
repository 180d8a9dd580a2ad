"""What a threshold, or leaving doubtful images to a human, does to the answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.evaluation.metrics import probability_columns, proportion


def at_threshold(table: pd.DataFrame, name: str, threshold: float) -> dict[str, Any]:
    """Return what happens if class `name` is called wherever its probability is at least `threshold`.

    `sensitivity`, `specificity` and `ppv` (in this table) as proportions with Wilson's interval, and `matrix`,
    [[true and called, true and not], [other and called, other and not]].
    """
    true, called = (table["label"] == name).to_numpy(), (table[f"p_{name}"] >= threshold).to_numpy()
    matrix = [[int((side & decided).sum()) for decided in (called, ~called)] for side in (true, ~true)]
    (hits, missed), (false, rejected) = matrix
    return {
        "sensitivity": proportion(hits, hits + missed),
        "specificity": proportion(rejected, rejected + false),
        "ppv": proportion(hits, hits + false),
        "matrix": matrix,
    }


def ppv_at(sensitivity: float, specificity: float, prevalence: float) -> float | None:
    """Return the positive predictive value where a share `prevalence` has the disease; None if nothing is called.

    Bayes: PPV = se p / (se p + (1 - sp) (1 - p)).
    """
    hits, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    return hits / (hits + false) if hits + false > 0 else None


def abstaining(table: pd.DataFrame, classes: Sequence[str], least: float) -> dict[str, Any]:
    """Return what happens if images with a confidence below `least` go to a human.

    `accuracy` of the answered ones and `coverage`, the share that is answered, as proportions.
    """
    answered = table[table[probability_columns(classes)].max(axis=1) >= least]
    return {
        "accuracy": proportion(int(answered["correct"].sum()), len(answered)),
        "coverage": proportion(len(answered), len(table)),
    }


def accuracy_by_coverage(table: pd.DataFrame, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (coverage, accuracy), each (n,): of the surest 1, 2, ... n images, how many are right."""
    order = table[probability_columns(classes)].max(axis=1).sort_values(ascending=False, kind="stable").index
    right = table["correct"].loc[order].to_numpy()
    count = np.arange(1, len(right) + 1)
    return count / len(right), np.cumsum(right) / count
