"""Histograms of probabilities and the ROC curve with the decision threshold."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.evaluation import decision
from cxrcore.figures import palette, probability_curves

POSITIVE = np.array([True, True, True, True, False, False])
SCORE = np.array([1.0, 0.97, 0.52, 0.04, 0.52, 0.0])


def test_histogram_has_the_share_of_each_group_by_bin():
    figure = probability_curves.histogram(POSITIVE, SCORE, 0.3, ("<b>", "others"), ("#111111", "#222222"))
    others, of_class = figure.data
    assert (others.name, of_class.name) == ("others", "&lt;b&gt;") and of_class.marker.color == "#111111"
    assert [(k, y) for k, y in enumerate(of_class.y) if y] == [(0, 0.25), (10, 0.25), (19, 0.5)]
    assert [(k, y) for k, y in enumerate(others.y) if y] == [(0, 0.5), (10, 0.5)]
    assert [of_class.x[19], *of_class.customdata[19]] == pytest.approx([0.975, 2, 0.95, 1])  # from 95 to 100 %
    assert figure.layout.shapes[0].x0 == 0.3 and figure.layout.annotations[0].text == "threshold 30%"


def test_histogram_of_a_class_without_images_is_empty():
    figure = probability_curves.histogram(~np.ones(2, bool), SCORE[:2], 0.5, ("A", "B"), ("#111111", "#222222"))
    assert not any(figure.data[1].y) and figure.data[0].y[19] == 1


def test_threshold_is_a_point_on_the_roc_curve():
    """From 0.6 on: 2 of 4 positive and none of 2 negative images."""
    table = pd.DataFrame({"label": np.where(POSITIVE, "A", "B"), "p_A": SCORE})
    found = decision.at_threshold(table, "A", 0.6)
    figure = probability_curves.operating_point(list(table["label"]), SCORE, "A", ["A", "B"], found)
    curve, point = figure.data[1:]
    assert list(point.x) == [0.0] and list(point.y) == [0.5] and point.marker.color == palette.VALIDATION
    assert (0.0, 0.5) in zip(curve.x, curve.y, strict=True)
    assert point.text[0].startswith("sensitivity 50.0% (") and "specificity 100.0% (" in point.text[0]


def test_no_point_where_a_class_does_not_occur():
    table = pd.DataFrame({"label": ["B", "B"], "p_A": [0.1, 0.9]})
    found = decision.at_threshold(table, "A", 0.5)
    figure = probability_curves.operating_point(list(table["label"]), table["p_A"].to_numpy(), "A", ["A", "B"], found)
    assert len(figure.data) == 1


def test_long_curves_are_drawn_by_a_thousand_points_with_their_ends():
    share = np.linspace(1, 0.001, 5000)
    line = probability_curves.coverage(share, share**2, at=0.5).data[0]
    assert len(line.x) == len(line.y) == 1000 and (line.x[0], line.x[-1]) == (1, 0.001)
    assert line.y == pytest.approx(line.x**2)
    few = probability_curves.coverage(share[:900], share[:900], at=0.5).data[0]
    assert len(few.x) == 900
