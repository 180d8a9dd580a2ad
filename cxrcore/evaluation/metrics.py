"""The numbers of one evaluation, each with its n and its 95 % interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics as sklearn_metrics

from cxrcore.evaluation import confusion_matrix, intervals


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Return the names of a prediction table's probability columns."""
    return [f"p_{name}" for name in classes]


def predictions(rows: pd.DataFrame, probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return the prediction table: what is known of each image, `predicted`, `correct` and `p_<class>`.

    `probabilities` is float32 (n, len(classes)) in the order of `classes`.
    """
    known = ["path", "sha256", "label", "patient", "source", "view", "sex", "age", "split", "lungs", "lesions"]
    table = rows[[name for name in known if name in rows]].reset_index(drop=True)
    predicted = np.asarray(classes)[probabilities.argmax(axis=1)]
    table = table.assign(predicted=predicted, correct=predicted == table["label"].to_numpy())
    return table.assign(**dict(zip(probability_columns(classes), probabilities.T, strict=True)))


def evaluate(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return the metrics of a prediction table as plain JSON values.

    `accuracy`; of the whole, `balanced_accuracy`, `macro_f1`, `kappa` and `matthews`; by class, `precision` (positive
    predictive value), `recall` (sensitivity), `specificity`, `npv` (negative predictive value) and `f1`. Each is
    `{"value", "ci95", "n"}`; value and interval are None where nothing defines them (0 of 0). Predictive values hold
    for the share of the classes in this table. `confusion` has a row a true class and a column a predicted one.
    """
    numbers = {name: position for position, name in enumerate(classes)}
    true, predicted = (table[column].map(numbers).to_numpy() for column in ("label", "predicted"))
    found = sklearn_metrics.confusion_matrix(true, predicted, labels=list(range(len(classes))))
    patients = list(table["patient"])
    low, high = intervals.by_patient(true, predicted, patients, len(classes), _all_of_them)
    values = _all_of_them(found)
    by_class = {}
    for name, k in numbers.items():
        hits, actual, called = int(found[k, k]), int(found[k].sum()), int(found[:, k].sum())
        others, not_called = len(table) - actual, len(table) - called
        rejected = others - (called - hits)
        by_class[name] = {
            "n": actual,
            "precision": proportion(hits, called),
            "recall": proportion(hits, actual),
            "specificity": proportion(rejected, others),
            "npv": proportion(rejected, not_called),
            "f1": {
                "value": _plain(values[k]),
                "ci95": _f1_bounds(values[k], low[k], high[k], hits, actual + called),
                "n": len(table),
            },
        }
    overall = {}
    for k, name in enumerate(confusion_matrix.OVERALL, start=len(classes)):
        bounds = _bounds(values[k], low[k], high[k], len(set(patients)))
        overall[name] = {"value": _plain(values[k]), "ci95": bounds, "n": len(table)}
    return {
        "n": len(table),
        "patients": len(set(patients)),
        "classes": list(classes),
        "accuracy": proportion(int(np.trace(found)), len(table)),
        **overall,
        "confusion": found.tolist(),
        "by_class": by_class,
    }


def kept_or_evaluated(stored: dict[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """Return the metrics that a run keeps; an older version kept fewer: then they are evaluated from its table."""
    return stored if "kappa" in stored else evaluate(table, stored["classes"])


def certainty(probability: float) -> str:
    """Return a probability as text, for example `97%`; never `100%`, as no finite evidence is certain."""
    return f"{'>99' if probability > 0.995 else round(100 * probability)}%"


def proportion(successes: int, n: int) -> dict[str, Any]:
    """Return `{"value", "ci95", "n", "successes"}` of a proportion with its Wilson interval."""
    value = successes / n if n else None
    return {"value": value, "ci95": list(intervals.wilson(successes, n)), "n": n, "successes": successes}


def _all_of_them(matrices: np.ndarray) -> np.ndarray:
    """Return F1 by class, then each of `matrix.OVERALL`, along the last axis."""
    overall = [statistic(matrices)[..., None] for statistic in confusion_matrix.OVERALL.values()]
    return np.concatenate([confusion_matrix.f1(matrices), *overall], axis=-1)


def _f1_bounds(value: float, low: float, high: float, hits: int, involved: int) -> list[float | None]:
    """Return the interval of F1. Where all is right or all wrong, every resample says the same and the bootstrap has
    no width, though a handful of images proves little: then Wilson's interval of the `hits`, or of none among the
    `involved` images, stands in.
    """
    if value in (0, 1):
        return list(intervals.wilson(hits, hits if value == 1 else involved))
    return [_plain(low), _plain(high)]


def _bounds(value: float, low: float, high: float, patients: int) -> list[float | None]:
    """Return the interval of a statistic of the whole; where all are right, Wilson's for that many patients.

    None where every resample says the same for another reason, as when one class is called always: no width is not
    certainty.
    """
    if value == 1:
        return list(intervals.wilson(patients, patients))
    return [_plain(low), _plain(high)] if low < high else [None, None]


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
