"""Slope charts."""

import pytest

from cxrcore.figures.slope import Panel, slopes
from cxrcore.metric import Metric

BORDER = Panel("border", Metric(0.9), {"crop": Metric(0.6, 0.5, 0.7), "a<b": Metric(0.8)})
WHOLE = Panel("whole", Metric(0.95), {"crop": Metric(0.9), "a<b": None})


def test_each_change_is_a_line_from_before_to_after_in_each_panel_where_it_was_measured():
    figure = slopes([BORDER, WHOLE], "crop", ("chance", 0.5))
    lines = [(line.name, list(line.y), line.xaxis, line.showlegend) for line in figure.data]
    assert lines == [
        ("crop", [0.9, 0.6], "x", True),
        ("a&lt;b", [0.9, 0.8], "x", True),
        ("crop", [0.95, 0.9], "x2", False),
    ]
    assert figure.data[0].hovertext[1] == "crop: 60.0% (50.0% to 70.0%)"
    assert figure.data[0].line.color == figure.data[2].line.color != figure.data[1].line.color
    best, other = figure.data[:2]
    assert best.line.width > other.line.width and "text" in best.mode and "text" not in other.mode
    assert {(shape.y0, shape.line.dash) for shape in figure.layout.shapes} == {(0.5, "dash")}


def test_axis_begins_below_the_lowest_value_and_the_line():
    assert slopes([BORDER], "crop").layout.yaxis.range == pytest.approx((0.55, 1.03))
    assert slopes([BORDER], "crop", ("chance", 0.5)).layout.yaxis.range[0] == pytest.approx(0.45)
    assert slopes([BORDER], "crop", ("chance", 0.01)).layout.yaxis.range[0] == 0
