"""Figures that show several runs, or the trials of a sweep, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cxrcore.figures import palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout, metric_axis
from cxrcore.figures.formatting import plotly_text
from cxrcore.i18n import format_number, t
from cxrcore.runs.models import EpochMetrics

_BEST_TO_WORST = [[0, "#D55E00"], [1, "#8A97A5"]]  # visible on light and dark backgrounds


def curves(runs: Mapping[str, Sequence[EpochMetrics]], metric: str, title: str) -> go.Figure:
    """Return a validation metric by epoch, one line for each run: `{label: epochs}`."""
    figure = go.Figure(layout=layout(340, title, legend=LEGEND_BELOW))
    for colour, (name, epochs) in zip(palette.series(len(runs)), runs.items(), strict=True):
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
