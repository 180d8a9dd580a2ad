"""The confusion matrix as a figure that can be clicked: a cell, or the sum of a row or of a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cxrcore.data import classes as class_names
from cxrcore.figures.charts import layout
from cxrcore.figures.formatting import plotly_label, plotly_text, shortened
from cxrcore.i18n import N_, format_number, t

COUNT, BY_TRUE, BY_PREDICTED = N_("count"), N_("share of the true class"), N_("share of the predicted class")
NUMBERED = 10  # classes up to which the cells hold numbers
_LARGE = 6  # classes from which on a cell of a narrow window has no room for large text
_INVISIBLE = "rgba(128,128,128,0.01)"
_FAINT, _FULL = "rgba(20,135,123,0.08)", "rgba(20,135,123,0.60)"
_MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
_LINE, _LONGEST, _LONGEST_OF_MANY = 13, 26, 20  # characters of a name: in a line, in all, and of more than ten classes


@dataclass(frozen=True)
class _Point:
    """A cell, or the sum of a row (`x` is -1) or of a column (`y` is -1), with the classes that a click chooses."""

    x: int
    y: int
    text: str
    hover: str
    true: str
    predicted: str


def confusion(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], shade: str, ink: str, clickable: bool = True
) -> go.Figure:
    """Return the matrix, rows true and columns predicted.

    Every point that can be clicked has `customdata` [true, predicted], with "" for any. Up to `NUMBERED` classes, a
    cell has its count and its share in the colour `ink`, and a row and a column of their own hold the sums; with more
    classes the numbers are in the hover text alone, and cells without images are empty.

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
    colours = counts if shade == COUNT else shares
    click = "<br>" + t("click to select these images") if clickable else ""
    cells = _cells(counts, shares, classes)
    if len(classes) > NUMBERED:
        return _of_many(colours, [point for point in cells if counts[point.y, point.x]], classes, click)
    return _numbered(colours, [*cells, *_sums(counts, classes)], classes, ink, click)


def _numbered(colours: np.ndarray, points: list[_Point], classes: Sequence[str], ink: str, click: str) -> go.Figure:
    size = len(classes)
    height = 150 + max(44, 96 - 7 * size) * (size + 1)
    figure = go.Figure(layout=layout(height, hovermode="closest", margin=_MARGIN))
    places = list(range(size))
    heat = {"colorscale": [[0, _FAINT], [1, _FULL]], "showscale": False, "xgap": 3, "ygap": 3, "hoverinfo": "skip"}
    figure.add_heatmap(z=colours, x=places, y=places, **heat)
    x, y = [point.x for point in points], [point.y for point in points]
    # The numbers are a trace of their own: the heatmap's would choose their colour without knowing the background.
    _add(
        figure,
        x,
        y,
        mode="text",
        text=[point.text for point in points],
        textfont={"size": 14, "color": ink},
        unselected={"textfont": {"color": ink}},
        hoverinfo="skip",
    )
    _add(figure, x, y, **_markers(points, 44, click))
    rows = [t("all"), *("<br>".join(map(plotly_text, _lines(name))) for name in classes)]
    columns = rows if size <= _LARGE else [t("all"), *(plotly_label(name, _LONGEST_OF_MANY) for name in classes)]
    axis = _axis() | {"tickvals": [-1, *places]}
    figure.update_xaxes(
        **axis,
        ticktext=columns,
        autotickangles=[0, -90],
        title=t("predicted"),
        side="top",
        range=[-1.5, size - 0.5],
    )
    figure.update_yaxes(**axis, ticktext=rows, title=t("true"), range=[size - 0.5, -1.5])
    return figure


def _of_many(colours: np.ndarray, points: list[_Point], classes: Sequence[str], click: str) -> go.Figure:
    labels = _distinct([shortened(class_names.label(name), _LONGEST_OF_MANY) for name in classes])
    figure = go.Figure(layout=layout(190 + 16 * len(classes), hovermode="closest", margin=_MARGIN))
    shown = np.where(colours > 0, colours, np.nan)
    heat = {"colorscale": [[0, "rgba(20,135,123,0.25)"], [1, "rgba(20,135,123,1)"]], "zmin": 0, "showscale": False}
    figure.add_heatmap(z=shown, x=labels, y=labels, xgap=1, ygap=1, hoverinfo="skip", **heat)
    x, y = [labels[point.x] for point in points], [labels[point.y] for point in points]
    _add(figure, x, y, **_markers(points, 13, click))
    # Plotly leaves out the labels of a category axis for which there is no room.
    axis = _axis() | {"type": "category", "tickfont": {"size": 10}, "showgrid": True, "gridcolor": _FAINT}
    figure.update_xaxes(**axis, title=t("predicted"), side="top", tickangle=-90, range=[-0.5, len(classes) - 0.5])
    figure.update_yaxes(**axis, title=t("true"), range=[len(classes) - 0.5, -0.5])
    return figure


def _axis() -> dict[str, Any]:
    return {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True, "automargin": True}


def _markers(points: Sequence[_Point], size: int, click: str) -> dict[str, Any]:
    """Return markers that take the clicks: a heatmap sends no selections, and its hover would swallow the clicks."""
    return {
        "mode": "markers",
        "marker": {"symbol": "square", "size": size, "color": _INVISIBLE},
        "unselected": {"marker": {"opacity": 1}},
        "text": [point.hover + click for point in points],
        "customdata": [[point.true, point.predicted] for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _add(figure: go.Figure, x: list[Any], y: list[Any], **style: Any) -> None:
    figure.add_scatter(x=x, y=y, showlegend=False, **style)


def _cells(counts: np.ndarray, shares: np.ndarray, classes: Sequence[str]) -> list[_Point]:
    points = []
    for row, true in enumerate(classes):
        for column, predicted in enumerate(classes):
            count, share = format_number(int(counts[row, column]), ",d"), format_number(shares[row, column], ".0%")
            hover = f"{_true(true)}<br>{_predicted(predicted)}<br>{count} ({share})"
            small = share if len(classes) <= _LARGE else f'<span style="font-size:10px">{share}</span>'
            points.append(_Point(column, row, f"<b>{count}</b><br>{small}", hover, true, predicted))
    return points


def _sums(counts: np.ndarray, classes: Sequence[str]) -> list[_Point]:
    rows = [_Point(-1, k, _sum(counts[k]), _true(name), name, "") for k, name in enumerate(classes)]
    return rows + [_Point(k, -1, _sum(counts[:, k]), _predicted(name), "", name) for k, name in enumerate(classes)]


def _sum(counts: np.ndarray) -> str:
    return format_number(int(counts.sum()), ",d")


def _lines(name: str) -> list[str]:
    return wrap(shortened(class_names.label(name), _LONGEST), _LINE)


def _distinct(labels: Sequence[str]) -> list[str]:
    """Return labels of which no two are equal, by invisible characters at the end: equal ones are one category."""
    found: list[str] = []
    for label in map(plotly_text, labels):
        while label in found:
            label += "\u200b"
        found.append(label)
    return found


def _true(name: str) -> str:
    return t("true {label}", label=plotly_label(name))


def _predicted(name: str) -> str:
    return t("predicted {label}", label=plotly_label(name))
