import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from cxrcore.evaluation import probability_metrics
from cxrcore.metric import Metric

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
CASES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=40
)  # positive, score (with ties), weight


@settings(max_examples=80, deadline=None)
@given(CASES)
def test_areas_match_sklearn_with_weights_and_ties(cases):
    positive, score, weight = (np.array(part) for part in zip(*cases, strict=True))
    assume((weight * positive).sum() > 0 and (weight * ~positive).sum() > 0)
    weights = np.stack([weight, np.ones_like(weight)]).astype(float)
    ours = (
        probability_metrics.roc_auc(positive, score / 6, weights),
        probability_metrics.average_precision(positive, score / 6, weights),
    )
    for k, each in enumerate(weights):
        expected = [
            theirs(positive, score / 6, sample_weight=each) for theirs in (roc_auc_score, average_precision_score)
        ]
        assert [part[k] for part in ours] == pytest.approx(expected, abs=1e-9)


def test_brier_score_and_calibration_error_by_hand():
    """Two images of two classes: 0.9 and correct, 0.6 and wrong.

    Brier: (0.1^2 + 0.1^2 + 0.6^2 + 0.6^2) / 2 = 0.37. Two bins of one image: (|0.9 - 1| + |0.6 - 0|) / 2 = 0.35.
    """
    true, probabilities = np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]])
    one = np.ones((1, 2))
    assert probability_metrics.brier(true, probabilities, one) == pytest.approx([0.37])
    assert probability_metrics.ece(true, probabilities, one) == pytest.approx([0.35])
    bins = probability_metrics.reliability(true, probabilities)
    assert [(each.accuracy.n, each.accuracy.successes) for each in bins] == [(1, 0), (1, 1)]
    assert [each.confidence for each in bins] == pytest.approx([0.6, 0.9])


def _table(n, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, n)
    probabilities = rng.dirichlet(np.ones(3), n) + 0.7 * np.eye(3)[true]
    table = pd.DataFrame(probabilities / probabilities.sum(axis=1, keepdims=True), columns=[f"p_{c}" for c in CLASSES])
    return table.assign(label=np.array(CLASSES)[true], patient=[str(k // 2) for k in range(n)])


def test_intervals_hold_the_value_and_are_reproducible():
    found = probability_metrics.evaluate(_table(80), CLASSES)
    assert found == probability_metrics.evaluate(_table(80), CLASSES)
    covid = found.by_class["COVID"]
    for metric in (found.brier, found.ece, covid.roc_auc, covid.average_precision):
        assert metric.low <= metric.value * 1.2 and metric.value <= metric.high and metric.n == 80


def test_absent_class_has_no_area():
    table = _table(30).query("label != 'COVID'")
    found = probability_metrics.evaluate(table, CLASSES)
    assert found.by_class["COVID"].roc_auc == Metric(None, n=len(table))
