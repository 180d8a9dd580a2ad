"""Two classes are one question; of many classes the most-confused pairs and the worst are shown."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.evaluation import confusion_matrix, limitations, metrics, probability_metrics
from cxrcore.metric import Metric
from tests.synthetic_runs import names

MATRIX = [[5, 3, 2], [0, 4, 0], [2, 2, 1]]


def test_most_confused_pairs_by_hand():
    found = confusion_matrix.pairs(MATRIX, ["a", "b", "c"])
    assert [(pair.true, pair.predicted, pair.n, pair.share) for pair in found] == [
        ("a", "b", 3, 0.3), ("c", "a", 2, 0.4), ("c", "b", 2, 0.4), ("a", "c", 2, 0.2),
    ]  # fmt: skip


def test_pairs_of_a_class_are_its_row_and_column():
    found = confusion_matrix.pairs(MATRIX, ["a", "b", "c"], "b")
    assert [(pair.true, pair.predicted, pair.n) for pair in found] == [("b", "b", 4), ("a", "b", 3), ("c", "b", 2)]


def test_positive_class_is_the_one_that_is_not_normal_unless_chosen(made):
    run = made[2]
    assert run.positive == "<script>alert(1)</script>" and made[10].positive == ""
    info = run.info
    chosen = info.dataset.info.model_copy(update={"positive": "NORMAL"})
    update = {"dataset": info.dataset.model_copy(update={"info": chosen})}
    info.model_copy(update=update).write(run.folder / "about.json")
    assert run.positive == "NORMAL"


def test_two_classes_report_the_positive_one_alone(made):
    run = made[2]
    found = metrics.reported(run.results.test, run.positive)
    (values,) = found.values()
    shares = [values.recall.value, values.specificity.value, values.precision.value, values.npv.value]
    assert list(found) == [run.positive] and shares == pytest.approx([8 / 10, 9 / 10, 8 / 9, 9 / 11])
    assert list(metrics.reported(made[10].results.test, "")) == names(10)


def test_curves_of_the_classes_with_the_lowest_area():
    areas = {"a": 0.9, "b": 0.5, "c": None, "d": 0.7}
    scores = {name: probability_metrics.ClassScores(Metric(area), Metric(area)) for name, area in areas.items()}
    found = probability_metrics.ProbabilityMetrics(scores, Metric(0.1), Metric(0.1))
    assert probability_metrics.lowest_auc(found, "", most=2) == ["b", "d"]
    assert probability_metrics.lowest_auc(found, "", most=4) == ["a", "b", "c", "d"]
    assert probability_metrics.lowest_auc(found, "d") == ["d"]


def test_limitations_name_ten_of_fifty_classes(made):
    run = made[50]
    found = [str(text) for text in limitations.limitations(run.results.test, run.config, False, [], None)]
    assert sum("40 more" in text for text in found) == 2


def test_no_probability_column_has_the_name_of_another_column():
    rows = pd.DataFrame({"path": ["x"], "sha256": ["0"], "label": ["x"], "patient": ["p"]})
    table = metrics.predictions(rows, np.array([[0.2, 0.5, 0.3]]), ["x", "p_x", "path"])
    assert table["path"].tolist() == ["x"] and table["predicted"].tolist() == ["p_x"]
    assert table[["p_x", "p_p_x", "p_path"]].to_numpy().tolist() == [[0.2, 0.5, 0.3]]
