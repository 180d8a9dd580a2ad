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

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]


def _table(true, predicted):
    return pd.DataFrame(
        {
            "label": np.array(CLASSES)[true],
            "predicted": np.array(CLASSES)[predicted],
            "patient": [f"p{k}" for k in range(len(true))],
        }
    )


def test_a_table_worked_out_by_hand():
    true = np.repeat([0, 1, 2], [39, 17, 19])
    predicted = true.copy()
    predicted[[0, 1]] = 2  # two COVID called other
    predicted[[70, 71]] = 1  # two other called normal
    found = metrics.evaluate(_table(true, predicted), CLASSES)
    assert found["confusion"] == [[37, 0, 2], [0, 17, 0], [0, 2, 17]]
    assert found["accuracy"]["value"] == pytest.approx(71 / 75)
    assert found["accuracy"]["ci95"] == pytest.approx([0.8707, 0.9791], abs=1e-4)
    covid = found["by_class"]["COVID"]
    assert covid["recall"]["value"] == pytest.approx(37 / 39) and covid["recall"]["n"] == 39
    assert covid["precision"]["value"] == 1.0 and covid["precision"]["n"] == 37
    assert covid["f1"]["value"] == pytest.approx(2 * 37 / (2 * 37 + 2))
    assert covid["f1"]["ci95"][0] < covid["f1"]["value"] < covid["f1"]["ci95"][1] <= 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_they_are_scikit_learns(pairs):
    true, predicted = np.array(pairs).T
    found = metrics.evaluate(_table(true, predicted), CLASSES)
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(true, predicted), abs=1e-9)
    theirs = precision_recall_fscore_support(true, predicted, labels=[0, 1, 2], zero_division=np.nan)
    for k, name in enumerate(CLASSES):
        for key, values in zip(("precision", "recall", "f1"), theirs, strict=False):
            value = found["by_class"][name][key]["value"]
            assert (np.nan if value is None else value) == pytest.approx(values[k], abs=1e-9, nan_ok=True)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_the_numbers_of_the_whole_are_scikit_learns(pairs):
    true, predicted = np.array(pairs).T
    found = metrics.evaluate(_table(true, predicted), CLASSES)
    theirs = {
        "balanced_accuracy": balanced_accuracy_score(true, predicted),
        "macro_f1": f1_score(true, predicted, average="macro"),
        "kappa": cohen_kappa_score(true, predicted),
        "matthews": matthews_corrcoef(true, predicted),
    }
    for name, value in theirs.items():
        mine = found[name]["value"]
        assert (np.nan if mine is None else mine) == pytest.approx(value, abs=1e-9, nan_ok=True), name
    for k, name in enumerate(CLASSES):  # specificity is the sensitivity of the others
        value = found["by_class"][name]["specificity"]["value"]
        expected = recall_score(true != k, predicted != k, zero_division=np.nan)
        assert (np.nan if value is None else value) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_specificity_and_negative_predictive_value_by_hand():
    """Of 8 others 6 are not called COVID; of 8 not called COVID 6 are none."""
    true, predicted = np.repeat([0, 0, 1, 1], [3, 2, 2, 6]), np.repeat([0, 1, 0, 1], [3, 2, 2, 6])
    covid = metrics.evaluate(_table(true, predicted), CLASSES)["by_class"]["COVID"]
    assert (covid["specificity"]["successes"], covid["specificity"]["n"]) == (6, 8)
    assert (covid["npv"]["successes"], covid["npv"]["n"]) == (6, 8)


def test_kappa_of_a_published_table():
    """Cohen's kappa of [[20, 5], [10, 15]] is 0.4 (50 grant proposals, two readers)."""
    true, predicted = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]), np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    kappa = metrics.evaluate(_table(true, predicted), CLASSES)["kappa"]
    assert kappa["value"] == pytest.approx(0.4) and kappa["ci95"][0] < 0.4 < kappa["ci95"][1]


def test_all_right_is_not_certain():
    found = metrics.evaluate(_table(np.repeat([0, 1], 10), np.repeat([0, 1], 10)), CLASSES)
    assert found["by_class"]["COVID"]["f1"]["ci95"] == pytest.approx([0.7225, 1.0], abs=1e-4)


def test_all_wrong_is_not_certain_either():
    found = metrics.evaluate(_table(np.zeros(5, int), np.ones(5, int)), CLASSES)
    f1 = found["by_class"]["COVID"]["f1"]
    assert f1["value"] == 0 and f1["ci95"] == pytest.approx([0, 0.4345], abs=1e-3)


def test_a_class_that_does_not_occur_has_no_value_rather_than_zero():
    found = metrics.evaluate(_table(np.array([0, 1]), np.array([0, 1])), CLASSES)
    absent = found["by_class"]["OTHER INFECTION"]
    assert absent["recall"]["value"] is None and absent["precision"]["value"] is None
    assert absent["f1"] == {"value": None, "ci95": [None, None], "n": 2}


def test_the_prediction_table():
    rows = pd.DataFrame({"label": ["COVID", "NORMAL"], "path": ["a", "b"], "finding": ["x", "y"]})
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]], np.float32)
    table = metrics.predictions(rows, probabilities, CLASSES)
    assert table["predicted"].tolist() == ["COVID", "COVID"]
    assert table["correct"].tolist() == [True, False]
    assert table["p_NORMAL"].tolist() == pytest.approx([0.2, 0.4])
