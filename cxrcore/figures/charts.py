"""Plotly figures from plain values. Backgrounds stay transparent, so light and dark themes both work."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from cxrcore.figures import palette
from cxrcore.i18n import current, format_number, t, translate

_LAYOUT = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
    "hovermode": "x unified",
    "legend": {
        "traceorder": "normal",
        "orientation": "h",
        "y": 1.02,
        "yanchor": "bottom",
        "x": 1,
        "xanchor": "right",
    },
}


def layout() -> dict[str, Any]:
    """Return what all figures share; numbers have the language's decimal and grouping signs."""
    return _LAYOUT | {"separators": ",." if current() == "pt" else ".,"}


def curves(
    epochs: Sequence[Mapping[str, float]], metric: str, title: str, planned: int, kept: int | None = None
) -> go.Figure:
    """Return training and validation `metric` (`accuracy` or `loss`) by epoch.

    Args:
        epochs: the finished epochs, each with `epoch`, `metric` and `val_<metric>`.
        metric: which one.
        title: of the figure.
        planned: the number of epochs planned; the axis has this length from the first epoch, so that
            nothing moves while points come in.
        kept: the epoch that became the model, marked by a line.
    """
    x = [epoch["epoch"] for epoch in epochs]
    mode = "lines+markers" if len(x) < 3 else "lines"
    figure = go.Figure(layout=layout() | {"title": {"text": title, "font": {"size": 15}}, "height": 300})
    for name, key, colour in (
        (t("training"), metric, palette.TRAINING),
        (t("validation"), f"val_{metric}", palette.VALIDATION),
    ):
        y = [epoch[key] for epoch in epochs]
        figure.add_scatter(x=x, y=y, name=name, mode=mode, line={"color": colour, "width": 2})
    figure.update_xaxes(title=t("epoch"), range=[0.5, max(planned, 2) + 0.5], showgrid=False)
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    if metric == "accuracy":
        figure.update_yaxes(range=[0, 1.02], tickformat=".0%", hoverformat=".1%")
    else:
        figure.update_yaxes(rangemode="tozero", hoverformat=".4f")
    if kept:
        side = "top right" if kept < planned / 2 else "top left"
        figure.add_vline(
            x=kept,
            line={"dash": "dot", "color": "#888"},
            annotation_text=t("kept: {epoch}", epoch=kept),
            annotation_position=side,
        )
    return figure


def learning_rate(epochs: Sequence[Mapping[str, float]]) -> go.Figure:
    """Return the learning rate by epoch, on a logarithmic axis."""
    figure = go.Figure(layout=layout() | {"title": {"text": t("Learning rate"), "font": {"size": 15}}, "height": 240})
    rates = [epoch["learning_rate"] for epoch in epochs]
    line = {"color": palette.TRAINING, "width": 2, "shape": "hv"}
    figure.add_scatter(x=[epoch["epoch"] for epoch in epochs], y=rates, mode="lines", line=line)
    figure.update_xaxes(title=t("epoch"), showgrid=False)
    figure.update_yaxes(type="log", gridcolor="rgba(128,128,128,0.25)", dtick=1, exponentformat="power")
    return figure


def class_counts(counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> go.Figure:
    """Return stacked bars: one bar a group (a part or a source), `{group: {class: count}}`."""
    colours = palette.class_colours(classes)
    figure = go.Figure(layout=layout() | {"barmode": "stack", "height": 100 + 44 * len(counts)})
    for name in classes:
        values = [group.get(name, 0) for group in counts.values()]
        figure.add_bar(
            y=list(counts), x=values, name=translate(name), orientation="h", marker_color=colours[name], text=values
        )
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)")
    figure.update_yaxes(autorange="reversed")
    return figure


def probabilities(values: Mapping[str, float]) -> go.Figure:
    """Return one bar a class, 0 to 100 %."""
    colours = palette.class_colours(list(values))
    figure = go.Figure(
        layout=layout()
        | {
            "height": 40 + 40 * len(values),
            "hovermode": "closest",
            "margin": {"l": 8, "r": 16, "t": 4, "b": 8},
        }
    )
    figure.add_bar(
        x=list(values.values()),
        y=[translate(name) for name in values],
        orientation="h",
        marker_color=[colours[name] for name in values],
        text=[format_number(value, ".1%") for value in values.values()],
        textposition="auto",
        hoverinfo="skip",
    )
    figure.update_xaxes(range=[0, 1], tickformat=".0%", gridcolor="rgba(128,128,128,0.25)")
    figure.update_yaxes(autorange="reversed")
    return figure
