"""Plotly figures from plain values. Backgrounds stay transparent, so light and dark themes both work."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cxrcore.report import palette

LAYOUT = {
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
    figure = go.Figure(layout=LAYOUT | {"title": {"text": title, "font": {"size": 15}}, "height": 300})
    for name, key, colour in (
        ("training", metric, palette.TRAINING),
        ("validation", f"val_{metric}", palette.VALIDATION),
    ):
        y = [epoch[key] for epoch in epochs]
        figure.add_scatter(x=x, y=y, name=name, mode=mode, line={"color": colour, "width": 2})
    figure.update_xaxes(title="epoch", range=[0.5, max(planned, 2) + 0.5], showgrid=False)
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
            annotation_text=f"kept: {kept}",
            annotation_position=side,
        )
    return figure


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str], normalised: bool, ink: str) -> go.Figure:
    """Return the confusion matrix, rows true and columns predicted; `normalised` shades by row share.

    Every cell has its count and its share of the true class, whichever it is shaded by, in the colour `ink`.
    """
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = go.Figure(layout=LAYOUT | {"height": 110 + 90 * len(classes), "hovermode": "closest"})
    figure.add_heatmap(
        z=shares if normalised else counts,
        x=list(classes),
        y=list(classes),
        colorscale=[[0, "rgba(20,135,123,0.08)"], [1, "rgba(20,135,123,0.60)"]],
        showscale=False,
        xgap=3,
        ygap=3,
        hoverinfo="skip",
    )
    rows, columns = np.indices(counts.shape).reshape(2, -1)
    # The numbers are a trace of their own: the heatmap's would choose their colour without knowing the background.
    figure.add_scatter(
        x=[classes[k] for k in columns],
        y=[classes[k] for k in rows],
        text=[f"<b>{n}</b><br>{share:.0%}" for n, share in zip(counts.ravel(), shares.ravel(), strict=True)],
        mode="text",
        textfont={"size": 15, "color": ink},
        unselected={"textfont": {"color": ink}},
        hoverinfo="skip",
        showlegend=False,
    )
    # What is clicked: a heatmap sends no selections, and with its hover it would swallow the clicks.
    figure.add_scatter(
        x=[classes[k] for k in columns],
        y=[classes[k] for k in rows],
        mode="markers",
        marker={"symbol": "square", "size": 44, "color": "rgba(128,128,128,0.01)"},
        unselected={"marker": {"opacity": 1}},
        hovertemplate="true %{y}<br>predicted %{x}<br>click to see these<extra></extra>",
        showlegend=False,
    )
    figure.update_xaxes(title="predicted", side="bottom", showgrid=False, fixedrange=True)
    figure.update_yaxes(title="true", autorange="reversed", showgrid=False, fixedrange=True)
    return figure


def class_counts(counts: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> go.Figure:
    """Return stacked bars: one bar a group (a part or a source), `{group: {class: count}}`."""
    colours = palette.class_colours(classes)
    figure = go.Figure(layout=LAYOUT | {"barmode": "stack", "height": 100 + 44 * len(counts)})
    for name in classes:
        values = [group.get(name, 0) for group in counts.values()]
        figure.add_bar(y=list(counts), x=values, name=name, orientation="h", marker_color=colours[name], text=values)
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)")
    figure.update_yaxes(autorange="reversed")
    return figure


def probabilities(values: Mapping[str, float]) -> go.Figure:
    """Return one bar a class, 0 to 100 %."""
    colours = palette.class_colours(list(values))
    figure = go.Figure(
        layout=LAYOUT
        | {
            "height": 40 + 40 * len(values),
            "hovermode": "closest",
            "margin": {"l": 8, "r": 16, "t": 4, "b": 8},
        }
    )
    figure.add_bar(
        x=list(values.values()),
        y=list(values),
        orientation="h",
        marker_color=[colours[name] for name in values],
        text=[f"{value:.1%}" for value in values.values()],
        textposition="auto",
        hoverinfo="skip",
    )
    figure.update_xaxes(range=[0, 1], tickformat=".0%", gridcolor="rgba(128,128,128,0.25)")
    figure.update_yaxes(autorange="reversed")
    return figure
