"""The prediction table of a test set, and its metrics."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix as count_confusion

from cxrcore.evaluation import confusion_matrix, intervals
from cxrcore.evaluation.intervals import proportion
from cxrcore.inference.labels import class_indices
from cxrcore.metric import ClassificationMetrics, ClassMetrics, Metric

_COLUMNS = ["path", "sha256", "label", "patient", "source", "view", "sex", "age", "split", "lungs", "lesions"]


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Return the names of a prediction table's probability columns."""
    return [f"p_{name}" for name in classes]


def predictions(rows: pd.DataFrame, probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return the prediction table: the images' own columns, `predicted`, `correct` and `p_<class>`.

    `probabilities` is float32 (n, len(classes)) in the order of `classes`.
    """
    table = rows[[name for name in _COLUMNS if name in rows]].reset_index(drop=True)
    predicted = np.asarray(classes)[probabilities.argmax(axis=1)]
    table = table.assign(predicted=predicted, correct=predicted == table["label"].to_numpy())
    return table.assign(**dict(zip(probability_columns(classes), probabilities.T, strict=True)))


def evaluate(table: pd.DataFrame, classes: Sequence[str], by_patient: bool = False) -> ClassificationMetrics:
    """Return the metrics of a prediction table.

    Proportions have Wilson's interval, the others the bootstrap interval over patients. With `by_patient` proportions
    have that too; where all images count or none, Wilson's interval for as many patients.
    """
    true, predicted = (class_indices(table[column], classes) for column in ("label", "predicted"))
    matrix = count_confusion(true, predicted, labels=list(range(len(classes))))
    patients = table["patient"].tolist()
    values = _statistics(matrix)
    bounds = intervals.of_confusion(true, predicted, patients, len(classes), _statistics)
    n, people = len(table), len(set(patients))
    overall = {
        name: _overall(float(values[k]), bounds[:, k], n, people)
        for k, name in enumerate(confusion_matrix.OVERALL, start=len(classes))
    }
    found = ClassificationMetrics(
        n=n,
        patients=people,
        classes=list(classes),
        accuracy=proportion(int(np.trace(matrix)), n),
        confusion=matrix.tolist(),
        by_class={name: _of_class(matrix, k, float(values[k]), bounds[:, k]) for k, name in enumerate(classes)},
        **overall,
    )
    return _by_patient(found, true, predicted, patients) if by_patient else found


def _by_patient(
    found: ClassificationMetrics, true: np.ndarray, predicted: np.ndarray, patients: list[str]
) -> ClassificationMetrics:
    """Return the metrics with intervals of proportions by patient."""
    classes = len(found.classes)
    bounds = intervals.of_confusion(true, predicted, patients, classes, confusion_matrix.proportions)
    people = np.array(patients)

    def bounded(metric: Metric, low_high: np.ndarray, images: np.ndarray) -> Metric:
        if metric.successes in (0, metric.n):  # every resample has the same value
            if not metric.n:
                return metric
            count = len(np.unique(people[images]))
            low_high = np.array(intervals.wilson(count if metric.successes else 0, count))
        return replace(metric, low=float(low_high[0]), high=float(low_high[1]))

    by_class = {
        name: replace(
            values,
            recall=bounded(values.recall, bounds[:, 0, k], true == k),
            specificity=bounded(values.specificity, bounds[:, 1, k], true != k),
            precision=bounded(values.precision, bounds[:, 2, k], predicted == k),
            npv=bounded(values.npv, bounds[:, 3, k], predicted != k),
        )
        for k, (name, values) in enumerate(found.by_class.items())
    }
    accuracy = intervals.of_confusion(true, predicted, patients, classes, confusion_matrix.accuracy)
    return replace(found, accuracy=bounded(found.accuracy, accuracy, np.ones(len(true), bool)), by_class=by_class)


def reported(metrics: ClassificationMetrics, positive: str) -> dict[str, ClassMetrics]:
    """Return the metrics by class; of a two-class question those of the `positive` class alone, as the other class has
    the same numbers under other names. `positive` is "" for more classes.
    """
    return {positive: metrics.by_class[positive]} if positive else metrics.by_class


def complete(kept: ClassificationMetrics, table: pd.DataFrame) -> ClassificationMetrics:
    """Return the metrics that a run keeps; those of an older version, without `patients`, are evaluated again."""
    return kept if kept.patients else evaluate(table, kept.classes)


def certainty(probability: float) -> str:
    """Return a probability as text, for example `97%`; never `100%`, as no finite evidence is certain."""
    return f"{'>99' if probability > 0.995 else round(100 * probability)}%"


def _statistics(matrices: np.ndarray) -> np.ndarray:
    """Return F1 by class, then each of `confusion_matrix.OVERALL`, along the last axis."""
    overall = [statistic(matrices)[..., None] for statistic in confusion_matrix.OVERALL.values()]
    return np.concatenate([confusion_matrix.f1(matrices), *overall], axis=-1)


def _of_class(matrix: np.ndarray, k: int, f1: float, bounds: np.ndarray) -> ClassMetrics:
    total, positive, predicted = int(matrix.sum()), int(matrix[k].sum()), int(matrix[:, k].sum())
    true_positive = int(matrix[k, k])
    true_negative = total - positive - predicted + true_positive
    return ClassMetrics(
        n=positive,
        precision=proportion(true_positive, predicted),
        recall=proportion(true_positive, positive),
        specificity=proportion(true_negative, total - positive),
        npv=proportion(true_negative, total - predicted),
        f1=_f1(f1, bounds, true_positive, positive + predicted, total),
    )


def _f1(value: float, bounds: np.ndarray, true_positive: int, involved: int, n: int) -> Metric:
    """Return F1 with its interval. Where all are correct or all wrong, every resample has the same value and the
    bootstrap has no width: Wilson's interval of the `true_positive`, or of none of the `involved` images, replaces it.
    """
    if value in (0, 1):
        return Metric(value, *intervals.wilson(true_positive, true_positive if value == 1 else involved), n=n)
    return intervals.with_bounds(value, bounds, n)


def _overall(value: float, bounds: np.ndarray, n: int, patients: int) -> Metric:
    """Return a metric of all classes; where all are correct, with Wilson's interval of as many patients."""
    if value == 1:
        return Metric(value, *intervals.wilson(patients, patients), n=n)
    return intervals.with_bounds(value, bounds, n)
