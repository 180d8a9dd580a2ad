"""The confusion matrix as a figure that can be clicked: a cell, the name of a row or the name of a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cxrcore.figures.charts import layout
from cxrcore.figures.formatting import plotly_label
from cxrcore.i18n import N_, format_number, t

COUNT, BY_TRUE, BY_PREDICTED = N_("count"), N_("share of the true class"), N_("share of the predicted class")
_INVISIBLE = "rgba(128,128,128,0.01)"
_MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}


@dataclass(frozen=True)
class _Point:
    """A cell, or the name of a row (`x` is -1) or of a column (`y` is -1), with the classes that a click chooses."""

    x: int
    y: int
    text: str
    hover: str
    true: str
    predicted: str


def confusion(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], shade: str, ink: str, clickable: bool = True
) -> go.Figure:
    """Return the matrix, rows true and columns predicted, with the names as a row and a column of their own.

    Every point that can be clicked has `customdata` [true, predicted], with "" for any: a cell has both, a row's name
    only the first, a column's name only the second. A cell has its count and its share, in the colour `ink`.

    Args:
        matrix: counts, (C, C).
        classes: C names.
        shade: `COUNT`, `BY_TRUE` or `BY_PREDICTED`; the shares are of the predicted class for the last only.
        ink: colour of the text.
        clickable: whether the hover text says that a click shows these images.
    """
    counts = np.asarray(matrix)
    along = 0 if shade == BY_PREDICTED else 1
    shares = counts / np.maximum(counts.sum(axis=along, keepdims=True), 1)
    size = len(classes)
    height = 120 + max(44, 96 - 7 * size) * (size + 1)
    figure = go.Figure(layout=layout(height, hovermode="closest", margin=_MARGIN))
    figure.add_heatmap(
        z=counts if shade == COUNT else shares,
        x=list(range(size)),
        y=list(range(size)),
        colorscale=[[0, "rgba(20,135,123,0.08)"], [1, "rgba(20,135,123,0.60)"]],
        showscale=False,
        xgap=3,
        ygap=3,
        hoverinfo="skip",
    )
    points = [*_cells(counts, shares, classes), *_names(counts, classes)]
    click = "<br>" + t("click to select these images") if clickable else ""
    # The numbers are a trace of their own: the heatmap's would choose their colour without knowing the background.
    _add(
        figure,
        points,
        mode="text",
        text=[point.text for point in points],
        textfont={"size": 14, "color": ink},
        unselected={"textfont": {"color": ink}},
        hoverinfo="skip",
    )
    # The markers take the clicks: a heatmap sends no selections, and with its hover it would swallow the clicks.
    _add(
        figure,
        points,
        mode="markers",
        marker={"symbol": "square", "size": 44, "color": _INVISIBLE},
        unselected={"marker": {"opacity": 1}},
        text=[point.hover + click for point in points],
        customdata=[[point.true, point.predicted] for point in points],
        hovertemplate="%{text}<extra></extra>",
    )
    axis = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "fixedrange": True}
    figure.update_xaxes(**axis, title=t("predicted"), side="top", range=[-1.5, size - 0.5])
    figure.update_yaxes(**axis, title=t("true"), range=[size - 0.5, -1.5])
    return figure


def _add(figure: go.Figure, points: Sequence[_Point], **style: Any) -> None:
    x, y = [point.x for point in points], [point.y for point in points]
    figure.add_scatter(x=x, y=y, showlegend=False, **style)


def _cells(counts: np.ndarray, shares: np.ndarray, classes: Sequence[str]) -> list[_Point]:
    points = []
    for row, true in enumerate(classes):
        for column, predicted in enumerate(classes):
            count = format_number(int(counts[row, column]), ",d")
            text = f"<b>{count}</b><br>{format_number(shares[row, column], '.0%')}"
            points.append(_Point(column, row, text, f"{_true(true)}<br>{_predicted(predicted)}", true, predicted))
    return points


def _names(counts: np.ndarray, classes: Sequence[str]) -> list[_Point]:
    rows = [_Point(-1, k, _name(name, counts[k].sum()), _true(name), name, "") for k, name in enumerate(classes)]
    columns = [
        _Point(k, -1, _name(name, counts[:, k].sum()), _predicted(name), "", name) for k, name in enumerate(classes)
    ]
    return rows + columns


def _name(name: str, count: int) -> str:
    return f"{plotly_label(name).replace(' ', '<br>')}<br>({format_number(int(count), ',d')})"


def _true(name: str) -> str:
    return t("true {label}", label=plotly_label(name))


def _predicted(name: str) -> str:
    return t("predicted {label}", label=plotly_label(name))
