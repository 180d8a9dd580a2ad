"""How much a set of feature vectors tells: a linear classifier, cross-validated by patient."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxrcore.data import split
from cxrcore.evaluation import intervals

FOLDS = 5


def accuracy(vectors: np.ndarray, labels: Sequence[str], patients: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Return `{"value", "ci95", "n"}`: the accuracy on patients that the classifier has not seen.

    Standardised features, L2-regularised logistic regression, at most 5 folds of whole patients, stratified. The
    interval is the bootstrap over patients; where all is right, Wilson's for that many patients.

    Args:
        vectors: float32 (n, c).
        labels: n names, of at least two kinds.
        patients: the patient of each row.
        seed: of the folds and of the bootstrap.
    """
    names, true = np.unique(np.asarray(labels), return_inverse=True)
    groups = np.asarray(patients)
    smallest = min(len(np.unique(groups[true == k])) for k in range(len(names)))
    count = max(2, min(FOLDS, smallest))
    fold = split.folds(list(labels), list(patients), count, seed)
    predicted = np.zeros_like(true)
    for held_out in (fold == number for number in range(count)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        predicted[held_out] = model.fit(vectors[~held_out], true[~held_out]).predict(vectors[held_out])
    value = float((predicted == true).mean())
    if value == 1:
        people = len(np.unique(groups))
        return {"value": value, "ci95": list(intervals.wilson(people, people)), "n": len(true)}
    low, high = intervals.by_patient(true, predicted, list(groups), len(names), _share_right, seed)
    return {"value": value, "ci95": [float(low), float(high)], "n": len(true)}


def measure(vectors: np.ndarray, labels: pd.Series, table: pd.DataFrame) -> dict[str, Any]:
    """Return `accuracy`, `ci95` and `n` of telling `labels` from vectors (n, c) of a table's rows, see `accuracy`."""
    found = accuracy(np.asarray(vectors, np.float32), list(labels), list(table["patient"]))
    return {"accuracy": found["value"], "ci95": found["ci95"], "n": found["n"]}


def _share_right(matrices: np.ndarray) -> np.ndarray:
    return np.trace(matrices, axis1=1, axis2=2) / matrices.sum(axis=(1, 2))
