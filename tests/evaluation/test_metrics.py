from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    recall_score,
)

from cxrcore.evaluation import metrics
from cxrcore.metric import Metric

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


def _table(true, predicted):
    return pd.DataFrame(
        {
            "label": np.array(CLASSES)[true],
            "predicted": np.array(CLASSES)[predicted],
            "patient": [f"p{k}" for k in range(len(true))],
        }
    )


def _value(metric):
    return np.nan if metric.value is None else metric.value


def test_metrics_by_hand():
    true = np.repeat([0, 1, 2], [39, 17, 19])
    predicted = true.copy()
    predicted[[0, 1]] = 2  # two COVID predicted as other
    predicted[[70, 71]] = 1  # two other predicted as normal
    found = metrics.evaluate(_table(true, predicted), CLASSES)
    assert found.confusion == [[37, 0, 2], [0, 17, 0], [0, 2, 17]]
    assert found.accuracy.value == pytest.approx(71 / 75)
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((0.8707, 0.9791), abs=1e-4)
    covid = found.by_class["COVID"]
    assert covid.recall.value == pytest.approx(37 / 39) and covid.recall.n == covid.n == 39
    assert covid.precision.value == 1.0 and covid.precision.n == 37
    assert covid.f1.value == pytest.approx(2 * 37 / (2 * 37 + 2))
    assert covid.f1.low < covid.f1.value < covid.f1.high <= 1


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_matches_sklearn(pairs):
    true, predicted = np.array(pairs).T
    found = metrics.evaluate(_table(true, predicted), CLASSES)
    overall = {
        "accuracy": accuracy_score(true, predicted),
        "balanced_accuracy": balanced_accuracy_score(true, predicted),
        "macro_f1": f1_score(true, predicted, average="macro"),
        "kappa": cohen_kappa_score(true, predicted),
        "matthews": matthews_corrcoef(true, predicted),
    }
    for name, value in overall.items():
        assert _value(getattr(found, name)) == pytest.approx(value, abs=1e-9, nan_ok=True), name
    by_class = precision_recall_fscore_support(true, predicted, labels=[0, 1, 2], zero_division=np.nan)
    for k, name in enumerate(CLASSES):
        ours = found.by_class[name]
        for metric, values in zip((ours.precision, ours.recall, ours.f1), by_class, strict=False):
            assert _value(metric) == pytest.approx(values[k], abs=1e-9, nan_ok=True)
        # specificity is the sensitivity of the rest
        expected = recall_score(true != k, predicted != k, zero_division=np.nan)
        assert _value(ours.specificity) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_specificity_and_negative_predictive_value_by_hand():
    """Of 8 others 6 are not predicted as COVID; of 8 not predicted as COVID 6 are none."""
    true, predicted = np.repeat([0, 0, 1, 1], [3, 2, 2, 6]), np.repeat([0, 1, 0, 1], [3, 2, 2, 6])
    covid = metrics.evaluate(_table(true, predicted), CLASSES).by_class["COVID"]
    assert (covid.specificity.successes, covid.specificity.n) == (6, 8)
    assert (covid.npv.successes, covid.npv.n) == (6, 8)


def test_kappa_of_a_published_table():
    """Cohen's kappa of [[20, 5], [10, 15]] is 0.4 (50 grant proposals, two readers)."""
    true, predicted = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]), np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    kappa = metrics.evaluate(_table(true, predicted), CLASSES).kappa
    assert kappa.value == pytest.approx(0.4) and kappa.low < 0.4 < kappa.high


def test_interval_where_all_are_correct_is_wilsons():
    f1 = metrics.evaluate(_table(np.repeat([0, 1], 10), np.repeat([0, 1], 10)), CLASSES).by_class["COVID"].f1
    assert (f1.low, f1.high) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_interval_where_all_are_wrong_is_wilsons():
    f1 = metrics.evaluate(_table(np.zeros(5, int), np.ones(5, int)), CLASSES).by_class["COVID"].f1
    assert f1.value == 0 and (f1.low, f1.high) == pytest.approx((0, 0.4345), abs=1e-3)


def test_absent_class_has_no_value():
    absent = metrics.evaluate(_table(np.array([0, 1]), np.array([0, 1])), CLASSES).by_class["OTHER INFECTION"]
    assert absent.recall == absent.precision == Metric(None, n=0, successes=0)
    assert absent.f1 == Metric(None, n=2)


def test_prediction_table():
    rows = pd.DataFrame({"label": ["COVID", "NORMAL"], "path": ["a", "b"], "finding": ["x", "y"]})
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]], np.float32)
    table = metrics.predictions(rows, probabilities, CLASSES)
    assert list(table) == ["path", "label", "predicted", "correct", "p_COVID", "p_NORMAL", "p_OTHER INFECTION"]
    assert table["predicted"].tolist() == ["COVID", "COVID"]
    assert table["correct"].tolist() == [True, False]
    assert table["p_NORMAL"].tolist() == pytest.approx([0.2, 0.4])


def test_metrics_of_an_older_version_are_evaluated_again():
    table = _table(np.array([0, 1]), np.array([0, 0]))
    evaluated = metrics.evaluate(table, CLASSES)
    assert metrics.complete(replace(evaluated, patients=0, kappa=Metric(None)), table) == evaluated
    assert metrics.complete(evaluated, table) is evaluated
