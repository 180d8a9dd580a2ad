"""Dot plots: one row for each thing that was measured, with its 95 % interval, beside a line to compare with."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from cxrcore.figures import formatting, palette
from cxrcore.figures.charts import GRID, layout
from cxrcore.metric import Metric

_ROW = 34  # pixels of height
_FRAME = 66  # pixels above and below the rows, for the title of the axis and the label of the line
_PAD = 0.05  # of the axis, on each side


@dataclass(frozen=True)
class Dot:
    """One row: its label, what was measured, and the colour of the dot. Without a value the row stays empty."""

    label: str
    metric: Metric | None
    colour: str = palette.TRAINING


def dot_plot(
    rows: Sequence[Dot], title: str, line: tuple[str, float] | None = None, *, percent: bool = True, zero: bool = True
) -> go.Figure:
    """Return the rows from above, each with its interval.

    Args:
        rows: what to show.
        title: of the axis.
        line: the label and the place of a dashed line, as chance.
        percent: whether the values are shares, 0 to 1, and are written in percent.
        zero: whether the axis begins at 0 (or below, where an interval does); else it is as wide as the values.
    """
    axis = {"l": 8, "r": 16, "t": 28, "b": 8}
    figure = go.Figure(layout=layout(_FRAME + _ROW * len(rows), hovermode="closest", showlegend=False, margin=axis))
    places = [number for number, row in enumerate(rows) if row.metric and row.metric.value is not None]
    known = [(number, rows[number], metric) for number in places if (metric := rows[number].metric)]
    write = formatting.with_interval if percent else formatting.number
    figure.add_scatter(
        x=[metric.value for _, _, metric in known],
        y=places,
        mode="markers",
        cliponaxis=False,
        marker={"size": 10, "color": [row.colour for _, row, _ in known]},
        text=[f"{formatting.plotly_text(row.label)}: {write(metric)}" for _, row, metric in known],
        hovertemplate="%{text}<extra></extra>",
    )
    for number, row, metric in known:
        if metric.has_interval:
            ends = {"x0": metric.low, "x1": metric.high, "y0": number, "y1": number}
            figure.add_shape(type="line", layer="below", line={"color": row.colour, "width": 2.5}, **ends)
    if line:
        label, place = line
        figure.add_vline(
            place,
            line={"color": "#888", "width": 1.5, "dash": "dash"},
            annotation={"text": formatting.plotly_text(label), "yref": "paper", "y": 1, "yanchor": "bottom"},
        )
    figure.update_xaxes(
        title=title,
        range=_range([metric for _, _, metric in known], line, zero),
        tickformat=".0%" if percent else None,
        gridcolor=GRID,
        zeroline=False,
    )
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(range(len(rows))),
        ticktext=[formatting.plotly_text(row.label) for row in rows],
        gridcolor=GRID,
        zeroline=False,
    )
    return figure


def _range(known: Sequence[Metric], line: tuple[str, float] | None, zero: bool) -> list[float]:
    ends = [end for metric in known for end in (metric.value, metric.low, metric.high) if end is not None]
    ends += [line[1]] if line else []
    ends += [0.0] if zero or not ends else []
    low, high = min(ends), max(ends)
    pad = _PAD * (high - low or 1)
    return [low if zero and low == 0 else low - pad, high + pad]
