"""Plotly figures from plain values. Backgrounds are transparent, so light and dark themes both work."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from cxrcore.figures import palette
from cxrcore.figures.formatting import plotly_label, plotly_text, shortened, with_interval
from cxrcore.i18n import current, format_number, t
from cxrcore.metric import Metric
from cxrcore.runs.models import EpochMetrics, RunEvent

GRID = "rgba(128,128,128,0.25)"
REDUCED, SET = "reduced", "learning-rate"  # events of a run
_PALE = "#8F979C"
_MOST_IN_LEGEND = 12
_LONGEST_TICK = 22  # characters of a class name beside an axis
LEGEND_BELOW = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0, "xanchor": "left"}


def layout(height: int, title: str = "", **more: Any) -> dict[str, Any]:
    """Return the layout that all figures share; numbers have the language's decimal and grouping signs."""
    legend = {"traceorder": "normal", "orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"}
    shared = {
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 8, "t": 36 if title else 12, "b": 8},
        "hovermode": "x unified",
        "legend": legend,
        "separators": ",." if current() == "pt" else ".,",
    }
    if title:
        shared["title"] = {"text": title, "font": {"size": 15}, "x": 0, "xanchor": "left"}
    return shared | more


def metric_axis(figure: go.Figure, metric: str) -> None:
    """Set the y axis to that of `accuracy` or `loss`, with or without `val_`."""
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    if metric.endswith("accuracy"):
        figure.update_yaxes(range=[0, 1.02], tickformat=".0%", hoverformat=".1%")
    else:
        figure.update_yaxes(rangemode="tozero", hoverformat=".4f")


def curves(
    epochs: Sequence[EpochMetrics],
    metric: str,
    title: str,
    planned: int,
    kept: int | None = None,
    iterations: bool = False,
    best: int | None = None,
    previous: Sequence[EpochMetrics] = (),
) -> go.Figure:
    """Return training and validation `metric` (`accuracy` or `loss`) by epoch.

    Args:
        epochs: the finished epochs.
        metric: which one.
        title: of the figure.
        planned: the number of epochs planned; the axis has this length from the first epoch, so that
            nothing moves while points come in.
        kept: the epoch whose weights were kept, marked by a line.
        iterations: whether they are the iterations of a solver in place of epochs.
        best: the epoch with the lowest validation loss, one of `epochs`, marked on the curve of the validation.
        previous: the epochs of an earlier run, whose validation is a pale line behind the others.
    """
    x = [epoch.epoch for epoch in epochs]
    mode = "lines+markers" if len(x) < 3 else "lines"
    figure = go.Figure(layout=layout(300, title))
    for name, key, colour in (
        (t("training"), metric, palette.TRAINING),
        (t("validation"), f"val_{metric}", palette.VALIDATION),
    ):
        y = [getattr(epoch, key) for epoch in epochs]
        figure.add_scatter(x=x, y=y, name=name, mode=mode, line={"color": colour, "width": 2})
    title_of_x = t("iteration") if iterations else t("epoch")
    figure.update_xaxes(title=title_of_x, range=[0.5, max(planned, 2) + 0.5], showgrid=False)
    metric_axis(figure, metric)
    if kept:
        figure.add_vline(
            x=kept,
            line={"dash": "dot", "color": "#888"},
            annotation_text=t("kept: {epoch}", epoch=kept),
            annotation_position="top right" if kept < planned / 2 else "top left",
        )
    if previous:
        figure.add_scatter(
            x=[epoch.epoch for epoch in previous],
            y=[getattr(epoch, f"val_{metric}") for epoch in previous],
            name=t("previous run"),
            mode="lines",
            line={"color": _PALE, "width": 2},
            hoverinfo="skip",
            zorder=-1,
        )
    if best:
        figure.add_scatter(
            x=[best],
            y=[getattr(epoch, f"val_{metric}") for epoch in epochs if epoch.epoch == best],
            mode="markers+text",
            marker={"color": palette.VALIDATION, "size": 11, "symbol": "circle-open", "line": {"width": 3}},
            text=[t("best: {epoch}", epoch=best)],
            textposition="bottom center" if metric == "accuracy" else "top center",
            showlegend=False,
            hoverinfo="skip",
        )
    return figure


def learning_rate(epochs: Sequence[EpochMetrics], changes: Sequence[RunEvent] = ()) -> go.Figure:
    """Return the learning rate by epoch, on a logarithmic axis; `changes` by the user and the schedule are marked at
    the first epoch with the new rate.
    """
    figure = go.Figure(layout=layout(270, t("Learning rate"), legend=LEGEND_BELOW))
    line = {"color": palette.TRAINING, "width": 2, "shape": "hv"}
    x, y = [epoch.epoch for epoch in epochs], [epoch.learning_rate for epoch in epochs]
    figure.add_scatter(x=x, y=y, mode="lines", line=line, showlegend=False)
    for kind, name, symbol in (
        (REDUCED, t("reduced by the schedule"), "triangle-down"),
        (SET, t("set by the user"), "diamond"),
    ):
        marked = [change for change in changes if change.event == kind]
        if marked:
            figure.add_scatter(
                x=[change.epoch for change in marked],
                y=[change.value for change in marked],
                mode="markers",
                name=name,
                marker={"color": palette.VALIDATION, "size": 11, "symbol": symbol},
                showlegend=True,
            )
    figure.update_xaxes(title=t("epoch"), showgrid=False)
    figure.update_yaxes(type="log", gridcolor=GRID, dtick=1, exponentformat="power")
    return figure


def learning_curve(patients: Sequence[int], accuracies: Sequence[Metric]) -> go.Figure:
    """Return the accuracy by the number of training patients, on a logarithmic axis, with 95 % intervals."""
    values = [metric.value or 0.0 for metric in accuracies]
    lows = [value if metric.low is None else metric.low for value, metric in zip(values, accuracies, strict=True)]
    highs = [value if metric.high is None else metric.high for value, metric in zip(values, accuracies, strict=True)]
    figure = go.Figure(
        layout=layout(300, hovermode="closest", showlegend=False, margin={"l": 8, "r": 24, "t": 12, "b": 8})
    )
    figure.add_scatter(
        x=list(patients),
        y=values,
        mode="lines+markers",
        marker={"color": palette.TRAINING, "size": 9},
        line={"color": palette.TRAINING, "width": 2},
        error_y={
            "array": [high - value for value, high in zip(values, highs, strict=True)],
            "arrayminus": [value - low for value, low in zip(values, lows, strict=True)],
            "color": palette.TRAINING,
        },
        text=[with_interval(metric) for metric in accuracies],
        hovertemplate="%{x}: %{text}<extra></extra>",
    )
    ticks = {"tickvals": list(patients), "ticktext": [str(count) for count in patients]}
    figure.update_xaxes(title=t("training patients"), type="log", showgrid=False, **ticks)
    figure.update_yaxes(
        title=t("test accuracy"), range=[max(0.0, min(lows) - 0.05), 1.02], tickformat=".0%", gridcolor=GRID
    )
    return figure


def class_counts(counts: Mapping[str, Mapping[str, int]], classes: Sequence[str], title: str = "") -> go.Figure:
    """Return stacked bars: one bar for each group (a part of a split or a source), `{group: {class: count}}`."""
    styles = palette.class_styles(classes)
    named = len(classes) <= _MOST_IN_LEGEND
    legend = 24 * -(-len(classes) // 3) if named else 0
    below = LEGEND_BELOW | {"xref": "container", "traceorder": "normal"}
    more: dict[str, Any] = {"hovermode": "closest", "legend": below, "showlegend": named}
    more["uniformtext"] = {"minsize": 10, "mode": "hide"}  # a number that does not fit is in the hover text alone
    figure = go.Figure(layout=layout(90 + legend + 40 * len(counts), title, barmode="stack", **more))
    groups = [plotly_text(shortened(name, _LONGEST_TICK)) for name in counts]
    for name in classes:
        values = [group.get(name, 0) for group in counts.values()]
        shown = {"name": plotly_label(name, _LONGEST_TICK), "marker": _bar(styles[name]), "text": values}
        figure.add_bar(
            y=list(range(len(groups))), x=values, orientation="h", textposition="inside", textangle=0, **shown
        )
    figure.update_xaxes(gridcolor=GRID)
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(groups))), ticktext=groups)
    return figure


def probabilities(values: Mapping[str, float], classes: Sequence[str]) -> go.Figure:
    """Return one bar for each class of `values`, 0 to 100 %; `classes` are all classes of the run."""
    styles = palette.class_styles(classes)
    margin = {"l": 8, "r": 16, "t": 4, "b": 8}
    figure = go.Figure(layout=layout(40 + 40 * len(values), hovermode="closest", margin=margin))
    figure.add_bar(
        x=list(values.values()),
        y=list(range(len(values))),
        orientation="h",
        marker={
            "color": [styles[name].colour for name in values],
            "pattern": {"shape": [styles[name].pattern for name in values], "fillmode": "replace"},
        },
        text=[format_number(value, ".1%") for value in values.values()],
        textposition="auto",
        hovertext=[plotly_label(name) for name in values],
        hoverinfo="text",
    )
    labels = [plotly_label(name, _LONGEST_TICK) for name in values]
    figure.update_xaxes(range=[0, 1], tickformat=".0%", gridcolor=GRID)
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(values))), ticktext=labels)
    return figure


def _bar(style: palette.ClassStyle) -> dict[str, Any]:
    return {"color": style.colour, "pattern": {"shape": style.pattern, "fillmode": "replace"}}
