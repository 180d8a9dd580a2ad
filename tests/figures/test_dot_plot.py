"""Dot plots."""

import pytest

from cxrcore.figures.dot_plot import Dot, dot_plot
from cxrcore.metric import Metric

ROWS = [
    Dot("whole image", Metric(0.9, 0.8, 0.95, 100), "#111111"),
    Dot("border", Metric(0.5, n=100), "#222222"),
    Dot("lungs only", None),
]


def test_dots_stand_in_their_rows_with_their_intervals() -> None:
    figure = dot_plot(ROWS, "accuracy", ("chance", 0.4))
    dots = figure.data[0]
    assert list(dots.x) == [0.9, 0.5]
    assert list(dots.y) == [0, 1]
    assert list(dots.marker.color) == ["#111111", "#222222"]
    assert dots.text[0] == "whole image: 90.0% (80.0% to 95.0%)"
    interval, chance = figure.layout.shapes
    assert (interval.x0, interval.x1, interval.y0, interval.y1) == (0.8, 0.95, 0, 0)
    assert (chance.x0, chance.line.dash) == (0.4, "dash")
    assert list(figure.layout.yaxis.ticktext) == ["whole image", "border", "lungs only"]


def test_axis_begins_at_zero_or_fits_the_values() -> None:
    assert dot_plot(ROWS, "accuracy").layout.xaxis.range == pytest.approx((0, 0.95 * 1.05))
    assert dot_plot(ROWS, "accuracy", zero=False).layout.xaxis.range == pytest.approx((0.4775, 0.9725))
    below = [Dot("difference", Metric(0.1, -0.1, 0.3))]
    assert dot_plot(below, "difference").layout.xaxis.range == pytest.approx((-0.12, 0.32))


def test_no_value_leaves_an_empty_plot() -> None:
    figure = dot_plot([Dot("none", None)], "accuracy")
    assert not figure.data[0].x
    assert not figure.layout.shapes
