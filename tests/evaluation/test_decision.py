import numpy as np
import pandas as pd
import pytest

from cxrcore.evaluation import decision
from cxrcore.metric import Metric

CLASSES = ["COVID", "NORMAL"]


@pytest.fixture
def table():
    """Six images: p(COVID) 0.9 0.8 0.4 of COVID, 0.7 0.2 0.1 of NORMAL."""
    p = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.1])
    found = pd.DataFrame({"label": ["COVID"] * 3 + ["NORMAL"] * 3, "p_COVID": p, "p_NORMAL": 1 - p})
    return found.assign(correct=(found["p_COVID"] > 0.5) == (found["label"] == "COVID"))


def test_operating_point_by_hand(table):
    point = decision.at_threshold(table, "COVID", 0.75)
    assert point.matrix == [[2, 1], [0, 3]]
    assert (point.sensitivity.value, point.specificity.value, point.ppv.value) == (2 / 3, 1, 1)
    assert decision.at_threshold(table, "COVID", 0.8).matrix == point.matrix, "at least the threshold"
    everything, nothing = (decision.at_threshold(table, "COVID", t) for t in (0.0, 1.0))
    assert everything.matrix == [[3, 0], [3, 0]] and nothing.matrix == [[0, 3], [0, 3]]
    assert nothing.ppv == Metric(None, n=0, successes=0)


def test_predictive_value_at_low_prevalence():
    """Sensitivity 0.9 and specificity 0.95 at 1 %: 0.009 / (0.009 + 0.0495) = 0.1538."""
    assert decision.ppv_at(0.9, 0.95, 0.01) == pytest.approx(0.153846, abs=1e-6)
    assert decision.ppv_at(0.0, 1.0, 0.5) is None


def test_referral_by_hand(table):
    referral = decision.with_referral(table, CLASSES, 0.75)  # 0.9, 0.8, 0.8, 0.9 are kept, all correct
    assert referral.coverage.successes == 4 and referral.accuracy.value == 1
    coverage, accuracy = decision.accuracy_by_coverage(table, CLASSES)
    assert coverage.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert accuracy[:4].tolist() == [1] * 4 and accuracy[-1] == pytest.approx(4 / 6)
    assert decision.with_referral(table, CLASSES, 1.0).accuracy.value is None


def test_negative_predictive_value_by_hand(table):
    """Sensitivity 0.9 and specificity 0.95 at 1 %: 0.9405 / (0.9405 + 0.001) = 0.99894."""
    assert decision.npv_at(0.9, 0.95, 0.01) == pytest.approx(0.998938, abs=1e-6)
    assert decision.npv_at(1.0, 0.0, 0.5) is None
    assert decision.at_threshold(table, "COVID", 0.75).npv.value == 3 / 4
