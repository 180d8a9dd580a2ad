"""What the layers, the input size and the strength of a logistic head were chosen from."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from cxrcore.features.backbones import Backbone
from cxrcore.figures import formatting, palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout
from cxrcore.i18n import format_number, t
from cxrcore.runs.models import Selection, SelectionTrial

_SYMBOLS = ("circle", "diamond")
_MARGIN = {"l": 8, "r": 8, "t": 12, "b": 88}  # the legend stands below the title of the x axis


def selection(found: Selection, backbone: Backbone) -> go.Figure:
    """Return the out-of-fold log loss of each candidate, one colour for each input size, with the chosen one marked.

    Layers are numbered as in `backbone.taps`, from shallow to deep; their names, the accuracy with its interval and
    the strength are shown on hovering.
    """
    figure = _figure(found, backbone, lambda trial: _numbers(trial, backbone), lambda trial: trial.loss)
    order = [_numbers(trial, backbone) for trial in found.trials]
    figure.update_xaxes(
        title=t("layers, numbered from shallow to deep"),
        type="category",
        categoryorder="array",
        categoryarray=list(dict.fromkeys(order)),
        showgrid=False,
        tickangle=0,
    )
    figure.update_yaxes(title=t("out-of-fold log loss"), rangemode="tozero", gridcolor=GRID, zeroline=False)
    return figure


def cost(found: Selection, backbone: Backbone) -> go.Figure:
    """Return the out-of-fold accuracy of each candidate with its interval by the time that the backbone takes for an
    image, one colour for each input size, with the chosen one marked.
    """

    def milliseconds(trial: SelectionTrial) -> float:
        return backbone.milliseconds(trial.size, trial.tap)

    figure = _figure(found, backbone, milliseconds, lambda trial: trial.accuracy.value or 0.0)
    for points in figure.data[:-1]:  # the last marks the chosen one
        trials = [trial for trial in found.trials if t("{size} pixels", size=trial.size) == points.name]
        points.error_y = _error(trials) | {"color": points.marker.color}
    figure.update_xaxes(
        title=t("milliseconds per image on two laptop cores"), rangemode="tozero", showgrid=False, zeroline=False
    )
    figure.update_yaxes(title=t("out-of-fold accuracy"), tickformat=".0%", gridcolor=GRID, zeroline=False)
    return figure


def _figure(
    found: Selection,
    backbone: Backbone,
    x: Callable[[SelectionTrial], str | float],
    y: Callable[[SelectionTrial], float],
) -> go.Figure:
    """Return the candidates at their places, with the chosen one in a ring."""
    figure = go.Figure(layout=layout(300, hovermode="closest", legend=LEGEND_BELOW, margin=_MARGIN))
    sizes = sorted({trial.size for trial in found.trials})
    colours = dict(zip(sizes, palette.series(len(sizes)), strict=True))
    for size, symbol in zip(sizes, _SYMBOLS, strict=False):
        trials = [trial for trial in found.trials if trial.size == size]
        figure.add_scatter(
            x=[x(trial) for trial in trials],
            y=[y(trial) for trial in trials],
            mode="markers",
            cliponaxis=False,
            name=t("{size} pixels", size=size),
            marker={"color": colours[size], "size": 9, "symbol": symbol},
            hovertext=[_description(trial, backbone) for trial in trials],
            hoverinfo="text",
        )
    chosen = found.chosen
    figure.add_scatter(
        x=[x(chosen)],
        y=[y(chosen)],
        mode="markers",
        cliponaxis=False,
        name=t("chosen"),
        marker={"color": colours[chosen.size], "size": 18, "symbol": "circle-open", "line": {"width": 2.5}},
        hoverinfo="skip",
    )
    return figure


def _error(trials: list[SelectionTrial]) -> dict[str, Any]:
    """Return the error bars of accuracies; without an interval their length is 0."""
    ends = [(trial.accuracy, trial.accuracy.value or 0.0) for trial in trials]
    return {
        "array": [0.0 if metric.high is None else metric.high - value for metric, value in ends],
        "arrayminus": [0.0 if metric.low is None else value - metric.low for metric, value in ends],
        "thickness": 1.5,
    }


def _numbers(trial: SelectionTrial, backbone: Backbone) -> str:
    places = [backbone.taps.index(tap) + 1 for tap in trial.tap.split("+")]
    return str(places[0]) if len(places) == 1 else f"{places[0]}–{places[-1]}"


def _description(trial: SelectionTrial, backbone: Backbone) -> str:
    lines = [
        trial.tap.replace("+", " + "),
        t("log loss {loss:.3f}", loss=trial.loss),
        t("accuracy {accuracy}", accuracy=formatting.with_interval(trial.accuracy)),
        f"L2 {format_number(trial.l2, 'g')}",
        f"{format_number(backbone.milliseconds(trial.size, trial.tap), '.0f')} ms",
    ]
    return "<br>".join(map(formatting.plotly_text, lines))
