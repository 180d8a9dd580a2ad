"""Slope charts: how several changes move a number, a line for each from before to after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cxrcore.figures import formatting, palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout
from cxrcore.i18n import format_number, t
from cxrcore.metric import Metric

_PALE = 0.7  # opacity of the other lines
_PAD = 0.05  # of the axis, below the lowest value


@dataclass(frozen=True)
class Panel:
    """One panel: its title, the metric before, and those after, by the label of what was changed."""

    title: str
    before: Metric
    after: Mapping[str, Metric | None]


def slopes(panels: Sequence[Panel], best: str, line: tuple[str, float] | None = None) -> go.Figure:
    """Return the panels beside each other, of shares with one axis.

    Args:
        panels: of the same labels; without a metric there is no line in a panel.
        best: the label whose line is drawn strongly.
        line: the label and the place of a dashed line, as chance.
    """
    labels = list(panels[0].after)
    colours = dict(zip(labels, palette.series(len(labels)), strict=True))
    figure = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.06)
    for column, panel in enumerate(panels, 1):
        for label, metric in panel.after.items():
            if metric is None or metric.value is None:
                continue
            ends, strong = [panel.before, metric], label == best
            figure.add_scatter(
                x=[0, 1],
                y=[end.value for end in ends],
                mode="lines+markers+text" if strong else "lines+markers",
                cliponaxis=False,
                name=formatting.plotly_text(label),
                legendgroup=label,
                showlegend=column == 1,
                opacity=1 if strong else _PALE,
                line={"color": colours[label], "width": 4 if strong else 2},
                marker={"size": 11 if strong else 8},
                text=[format_number(end.value or 0.0, ".0%") for end in ends],
                textposition="bottom center",
                hovertext=[f"{formatting.plotly_text(label)}: {formatting.with_interval(end)}" for end in ends],
                hoverinfo="text",
                row=1,
                col=column,
            )
        title = {"text": panel.title, "standoff": 12}
        axis = {"tickvals": [0, 1], "ticktext": [t("before"), t("after")], "range": [-0.2, 1.2]}
        figure.update_xaxes(title=title, gridcolor=GRID, zeroline=False, row=1, col=column, **axis)
    if line:
        label, place = line
        figure.add_hline(place, line={"color": "#888", "width": 1.5, "dash": "dash"})
        note = {"text": formatting.plotly_text(label), "showarrow": False, "yanchor": "bottom"}
        figure.add_annotation(x=0.5, y=place, **note)
    figure.update_yaxes(range=[_floor(panels, line), 1.03], tickformat=".0%", gridcolor=GRID, zeroline=False)
    margin = {"l": 8, "r": 16, "t": 16, "b": 70 + 20 * len(labels)}
    legend = LEGEND_BELOW | {"orientation": "v"}
    return figure.update_layout(layout(330 + 20 * len(labels), hovermode="closest", margin=margin, legend=legend))


def _floor(panels: Sequence[Panel], line: tuple[str, float] | None) -> float:
    """Return where the axis begins: below the lowest value and the line, at least at 0."""
    metrics = [metric for panel in panels for metric in (panel.before, *panel.after.values()) if metric]
    values = [metric.value for metric in metrics if metric.value is not None]
    return max(0.0, min([*values, line[1] if line else 1.0]) - _PAD)
