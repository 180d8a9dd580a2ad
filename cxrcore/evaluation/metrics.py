"""The numbers of one evaluation, each with its n and its 95 % interval."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from cxrcore.evaluation import intervals


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Return the names of a prediction table's probability columns."""
    return [f"p_{name}" for name in classes]


def predictions(rows: pd.DataFrame, probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return the prediction table: what is known of each image, `predicted`, `correct` and `p_<class>`.

    `probabilities` is float32 (n, len(classes)) in the order of `classes`.
    """
    known = ["path", "sha256", "label", "patient", "source", "view", "split", "lungs", "lesions"]
    table = rows[[name for name in known if name in rows]].reset_index(drop=True)
    predicted = np.asarray(classes)[probabilities.argmax(axis=1)]
    table = table.assign(predicted=predicted, correct=predicted == table["label"].to_numpy())
    return table.assign(**dict(zip(probability_columns(classes), probabilities.T, strict=True)))


def evaluate(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of a prediction table as plain JSON values.

    `accuracy`, and by class `precision` (positive predictive value), `recall` (sensitivity) and `f1`, are
    each `{"value", "ci95", "n"}`; value and interval are None where nothing defines them (0 of 0).
    `confusion` has a row a true class and a column a predicted one.
    """
    numbers = {name: position for position, name in enumerate(classes)}
    true, predicted = (table[column].map(numbers).to_numpy() for column in ("label", "predicted"))
    matrix = confusion_matrix(true, predicted, labels=list(range(len(classes))))
    low, high = _f1_interval(true, predicted, list(table["patient"]), len(classes))
    f1 = _f1(matrix)
    by_class = {}
    for name, k in numbers.items():
        hits, actual, called = int(matrix[k, k]), int(matrix[k].sum()), int(matrix[:, k].sum())
        by_class[name] = {
            "n": actual,
            "precision": proportion(hits, called),
            "recall": proportion(hits, actual),
            "f1": {
                "value": _plain(f1[k]),
                "ci95": _f1_bounds(f1[k], low[k], high[k], hits, actual + called),
                "n": len(table),
            },
        }
    return {
        "n": len(table),
        "patients": int(table["patient"].nunique()),
        "classes": list(classes),
        "accuracy": proportion(int(np.trace(matrix)), len(table)),
        "confusion": matrix.tolist(),
        "by_class": by_class,
    }


def certainty(probability: float) -> str:
    """Return a probability as text, for example `97%`; never `100%`, as no finite evidence is certain."""
    return f"{'>99' if probability > 0.995 else round(100 * probability)}%"


def proportion(successes: int, n: int) -> dict[str, Any]:
    """Return `{"value", "ci95", "n", "successes"}` of a proportion with its Wilson interval."""
    value = successes / n if n else None
    return {"value": value, "ci95": list(intervals.wilson(successes, n)), "n": n, "successes": successes}


def _f1(matrices: np.ndarray) -> np.ndarray:
    """Return F1 = 2 TP / (2 TP + FP + FN) by class; NaN where a class is neither present nor predicted."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    total = matrices.sum(axis=-1) + matrices.sum(axis=-2)
    with np.errstate(invalid="ignore"):
        return 2 * hits / total


def _f1_interval(
    true: np.ndarray, predicted: np.ndarray, patients: list[str], classes: int
) -> tuple[np.ndarray, np.ndarray]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        low, high = intervals.by_patient(true, predicted, patients, classes, _f1)
    return low, high


def _f1_bounds(value: float, low: float, high: float, hits: int, involved: int) -> list[float | None]:
    """Return the interval of F1. Where all is right or all wrong, every resample says the same and the bootstrap has
    no width, though a handful of images proves little: then Wilson's interval of the `hits`, or of none among the
    `involved` images, stands in.
    """
    if value in (0, 1):
        return list(intervals.wilson(hits, hits if value == 1 else involved))
    return [_plain(low), _plain(high)]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
