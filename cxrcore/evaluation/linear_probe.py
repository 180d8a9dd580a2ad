"""A linear probe: how well a linear classifier predicts labels from feature vectors, cross-validated by patient."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cxrcore.data import split
from cxrcore.evaluation import confusion_matrix, intervals
from cxrcore.metric import Metric

FOLDS = 5
_SMALL = 4_000_000  # numbers in the vectors up to which one thread is faster: with more, threads wait for each other


def classifier() -> Pipeline:
    """Return the untrained classifier: standardised features, L2-regularised logistic regression."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def accuracy(
    vectors: np.ndarray, labels: Sequence[str], patients: Sequence[str], seed: int = 0, confidence: float = 0.95
) -> Metric:
    """Return the accuracy on patients that the classifier was not trained on.

    Standardised features, L2-regularised logistic regression, at most 5 stratified folds of whole patients. The
    interval is the bootstrap over patients; where all are correct, Wilson's for as many patients.

    Args:
        vectors: float (n, c).
        labels: n names, of at least two kinds.
        patients: the patient of each row, at least two.
        seed: of the folds and of the bootstrap.
        confidence: of the interval.
    """
    vectors = np.asarray(vectors, np.float32)
    names, true = np.unique(np.asarray(labels), return_inverse=True)
    groups = np.asarray(patients)
    smallest = min(len(np.unique(groups[true == k])) for k in range(len(names)))
    count = max(2, min(FOLDS, smallest))
    fold = split.folds(list(labels), list(patients), count, seed)
    predicted = np.zeros_like(true)
    with threadpool_limits(1 if vectors.size < _SMALL else None, "blas"):
        for held_out in (fold == number for number in range(count)):
            predicted[held_out] = _predicted(vectors[~held_out], true[~held_out], vectors[held_out])
    n, value = len(true), float((predicted == true).mean())
    if value == 1:
        people = len(np.unique(groups))
        low, high = intervals.wilson(people, people, confidence)
        return Metric(value, low, high, n)
    resamples = intervals.resample_confusion(
        true, predicted, list(patients), len(names), confusion_matrix.accuracy, seed
    )
    bounds = np.nanpercentile(resamples, [50 * (1 - confidence), 50 * (1 + confidence)])
    return intervals.with_bounds(value, bounds, n)


def _predicted(vectors: np.ndarray, true: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    if (true == true[0]).all():  # the only patient of the other kind is held out
        return np.repeat(true[0], len(unseen))
    found: np.ndarray = classifier().fit(vectors, true).predict(unseen)
    return found
