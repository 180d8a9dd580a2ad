import numpy as np
import pandas as pd
import pytest

from cxrcore.evaluation import decision

CLASSES = ["COVID", "NORMAL"]


@pytest.fixture
def table():
    """Six images: p(COVID) 0.9 0.8 0.4 of COVID, 0.7 0.2 0.1 of NORMAL."""
    p = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.1])
    found = pd.DataFrame({"label": ["COVID"] * 3 + ["NORMAL"] * 3, "p_COVID": p, "p_NORMAL": 1 - p})
    return found.assign(correct=(found["p_COVID"] > 0.5) == (found["label"] == "COVID"))


def test_a_threshold_by_hand(table):
    found = decision.at_threshold(table, "COVID", 0.75)
    assert found["matrix"] == [[2, 1], [0, 3]]
    assert (found["sensitivity"]["value"], found["specificity"]["value"], found["ppv"]["value"]) == (2 / 3, 1, 1)
    everything, nothing = (decision.at_threshold(table, "COVID", t) for t in (0.0, 1.0))
    assert everything["matrix"] == [[3, 0], [3, 0]] and nothing["matrix"] == [[0, 3], [0, 3]]
    assert nothing["ppv"]["value"] is None


def test_predictive_value_where_the_disease_is_rare():
    """Sensitivity 0.9 and specificity 0.95 at 1 %: 0.009 / (0.009 + 0.0495) = 0.1538."""
    assert decision.ppv_at(0.9, 0.95, 0.01) == pytest.approx(0.153846, abs=1e-6)
    assert decision.ppv_at(0.0, 1.0, 0.5) is None


def test_abstaining_by_hand(table):
    found = decision.abstaining(table, CLASSES, 0.75)  # 0.9, 0.8, 0.8, 0.9 are answered, all rightly
    assert found["coverage"]["successes"] == 4 and found["accuracy"]["value"] == 1
    coverage, accuracy = decision.accuracy_by_coverage(table, CLASSES)
    assert coverage.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert accuracy[:4].tolist() == [1] * 4 and accuracy[-1] == pytest.approx(4 / 6)
    assert decision.abstaining(table, CLASSES, 1.0)["accuracy"]["value"] is None
