"""Figures that show several runs, or the trials of a sweep, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cxrcore.figures import dot_plot, palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout, metric_axis
from cxrcore.figures.formatting import plotly_text, with_interval
from cxrcore.i18n import format_number, t
from cxrcore.metric import Metric
from cxrcore.runs.models import EpochMetrics

_BEST_TO_WORST = [[0, "#D55E00"], [1, "#8A97A5"]]  # visible on light and dark backgrounds


# Pixels, however many runs: what stands below does not move. The choice of the cost is above its figure.
_HEIGHT, _COST_HEIGHT = 440, 310
_LEAST_ROWS = 8


@dataclass(frozen=True)
class ComparedRun:
    """A run in a figure: its number, a short label, its colour, its accuracy and what it cost (more than 0)."""

    number: int
    label: str
    colour: str
    accuracy: Metric
    cost: float | None = None


def forest(runs: Sequence[ComparedRun], line: tuple[str, float] | None = None) -> go.Figure:
    """Return the accuracies with their intervals, one row for each run; `line` as in `dot_plot`."""
    rows = [dot_plot.Dot(f"{run.number}. {run.label}", run.accuracy, run.colour) for run in runs]
    figure = dot_plot.dot_plot(rows, t("test accuracy"), line, zero=False)
    figure.update_layout(height=_HEIGHT)
    return figure.update_yaxes(range=[max(len(rows), _LEAST_ROWS) - 0.5, -0.5])


def by_cost(runs: Sequence[ComparedRun], title: str, form: str) -> go.Figure:
    """Return accuracy with its interval against cost on a logarithmic axis; each dot has the number of its run.

    Args:
        runs: those without a cost or an accuracy are left out.
        title: of the axis of the cost.
        form: how the cost is written in the hover text, as for `format`.
    """
    known = [(run, run.cost, run.accuracy.value) for run in runs if run.cost and run.accuracy.value is not None]
    margin = {"l": 8, "r": 16, "t": 12, "b": 8}
    figure = go.Figure(layout=layout(_COST_HEIGHT, hovermode="closest", showlegend=False, margin=margin))
    ends = [value for *_, value in known]
    for run, cost, _ in known:
        low, high = run.accuracy.low, run.accuracy.high
        if low is not None and high is not None:
            ends += [low, high]
            line = {"color": run.colour, "width": 2}
            figure.add_shape(type="line", layer="below", line=line, x0=cost, x1=cost, y0=low, y1=high)
    figure.add_scatter(
        x=[cost for _, cost, _ in known],
        y=[value for *_, value in known],
        mode="markers+text",
        cliponaxis=False,
        marker={"size": 18, "color": [run.colour for run, *_ in known]},
        text=[str(run.number) for run, *_ in known],
        textfont={"size": 10, "color": "white"},
        hovertext=[
            f"{plotly_text(run.label)}: {with_interval(run.accuracy)} · {format_number(cost, form)} {title}"
            for run, cost, _ in known
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    # The ticks are 1, 2 and 5 of every power of ten.
    places = _decades([cost for _, cost, _ in known])
    figure.update_xaxes(title=title, type="log", dtick="D2", gridcolor=GRID, range=places)
    figure.update_yaxes(tickformat=".0%", gridcolor=GRID, zeroline=False)
    if ends:
        pad = 0.05 * (max(ends) - min(ends) or 1)
        figure.update_yaxes(range=[min(ends) - pad, max(ends) + pad])
    return figure


def _decades(costs: Sequence[float]) -> list[float]:
    """Return the ends of a logarithmic axis, with room beside the dots."""
    powers = np.log10(costs) if costs else np.zeros(1)
    room = max(0.15, 0.12 * float(powers.max() - powers.min()))
    return [float(powers.min()) - room, float(powers.max()) + room]


def curves(runs: Mapping[str, Sequence[EpochMetrics]], metric: str, title: str, colours: Sequence[str]) -> go.Figure:
    """Return a validation metric by epoch, one line in its colour for each run: `{label: epochs}`."""
    figure = go.Figure(layout=layout(340, title, legend=LEGEND_BELOW))
    for colour, (name, epochs) in zip(colours, runs.items(), strict=True):
        x, y = [epoch.epoch for epoch in epochs], [getattr(epoch, metric) for epoch in epochs]
        figure.add_scatter(x=x, y=y, name=plotly_text(name), mode="lines", line={"color": colour, "width": 2})
    figure.update_xaxes(title=t("epoch"), showgrid=False)
    metric_axis(figure, metric)
    return figure


def parallel(table: pd.DataFrame, settings: Mapping[str, str], logs: Sequence[str]) -> go.Figure:
    """Return parallel coordinates: a line for each trial from its settings to its validation loss, the best orange.

    Args:
        table: rows with `val_loss` and the settings.
        settings: the columns of the settings with their titles.
        logs: those with a logarithmic axis.
    """
    axes = [_axis(table[name], title, name in logs) for name, title in settings.items()]
    loss = table["val_loss"]
    axes.append({"label": t("validation loss"), "values": loss})
    line = {"color": loss, "colorscale": _BEST_TO_WORST, "cmin": float(loss.min()), "cmax": float(loss.quantile(0.9))}
    figure = go.Figure(go.Parcoords(dimensions=axes, line=line))
    return figure.update_layout(layout(360, margin={"l": 70, "r": 50, "t": 60, "b": 24}))


def _axis(values: "pd.Series[Any]", title: str, log: bool) -> dict[str, Any]:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        names = sorted(values.astype(str).unique())
        places = values.astype(str).map({name: k for k, name in enumerate(names)})
        return {"label": title, "values": places, "tickvals": list(range(len(names))), "ticktext": names}
    if not log:
        return {"label": title, "values": values}
    powers = np.log10(values.astype(float))
    ticks = list(range(int(np.floor(powers.min())), int(np.ceil(powers.max())) + 1))
    return {"label": title, "values": powers, "tickvals": ticks, "ticktext": [f"1e{tick}" for tick in ticks]}


def importance(shares: Mapping[str, float]) -> go.Figure:
    """Return a bar for each setting, given by its title: its share, 0 to 1, of the variance between trials."""
    figure = go.Figure(layout=layout(80 + 36 * len(shares), hovermode="closest"))
    text = [format_number(share, ".0%") for share in shares.values()]
    bars = {"orientation": "h", "marker_color": palette.TRAINING, "hoverinfo": "skip", "textposition": "auto"}
    figure.add_bar(x=list(shares.values()), y=list(shares), text=text, **bars)
    figure.update_xaxes(range=[0, 1], tickformat=".0%", gridcolor=GRID)
    figure.update_yaxes(autorange="reversed")
    return figure
