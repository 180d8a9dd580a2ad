"""Runs in one figure: their accuracies, and accuracy against cost."""

import numpy as np
import pytest

from cxrcore.figures.comparison import ComparedRun, by_cost, forest
from cxrcore.metric import Metric

RUNS = [
    ComparedRun(1, "VGG16", "#111111", Metric(0.9, 0.8, 0.95, 100), 100.0),
    ComparedRun(2, "<b>", "#222222", Metric(0.7, n=100), 10.0),
    ComparedRun(3, "no cost", "#333333", Metric(0.5, 0.4, 0.6, 100)),
]


def test_forest_has_a_row_for_each_run_and_room_for_eight():
    figure = forest(RUNS, ("chance", 0.4))
    assert list(figure.layout.yaxis.ticktext) == ["1. VGG16", "2. &lt;b&gt;", "3. no cost"]
    assert figure.layout.yaxis.range == (7.5, -0.5)
    assert forest(RUNS * 4).layout.yaxis.range == (11.5, -0.5)
    assert forest(RUNS).layout.height == forest(RUNS * 4).layout.height


def test_cost_has_numbered_dots_on_a_logarithmic_axis():
    figure = by_cost(RUNS, "seconds", ",.0f")
    (dots,) = figure.data
    assert (list(dots.x), list(dots.y), list(dots.text)) == ([100, 10], [0.9, 0.7], ["1", "2"])
    assert dots.hovertext == ("VGG16: 90.0% (80.0% to 95.0%) · 100 seconds", "&lt;b&gt;: 70.0% · 10 seconds")
    (interval,) = figure.layout.shapes
    assert (interval.x0, interval.y0, interval.y1) == (100, 0.8, 0.95)
    low, high = figure.layout.xaxis.range
    assert figure.layout.xaxis.type == "log" and low < 1 < 2 < high
    assert figure.layout.yaxis.range == pytest.approx((0.7 - 0.0125, 0.95 + 0.0125))


def test_no_cost_is_an_empty_figure():
    assert not by_cost(RUNS[2:], "megabytes", ",.1f").data[0].x
    assert np.isfinite(by_cost([], "seconds", ",.0f").layout.xaxis.range).all()
