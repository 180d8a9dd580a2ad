"""Figures that lay several runs, or the trials of a sweep, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cxrcore.figures import palette
from cxrcore.figures.charts import layout
from cxrcore.i18n import t, translate

_BEST_TO_WORST = [[0, "#D55E00"], [1, "#8A97A5"]]  # seen on light and dark ground
_GRID = "rgba(128,128,128,0.25)"


def curves(runs: Mapping[str, Sequence[Mapping[str, float]]], metric: str, title: str) -> go.Figure:
    """Return a validation metric by epoch, one line a run: `{name: epochs}`, each epoch with `epoch` and `metric`."""
    figure = go.Figure(layout=layout() | {"title": {"text": title, "font": {"size": 15}}, "height": 320})
    figure.update_layout(legend={"y": -0.25, "yanchor": "top", "x": 0, "xanchor": "left"})
    for colour, (name, epochs) in zip(palette.series(len(runs)), runs.items(), strict=True):
        x, y = [epoch["epoch"] for epoch in epochs], [epoch[metric] for epoch in epochs]
        figure.add_scatter(x=x, y=y, name=name, mode="lines", line={"color": colour, "width": 2})
    figure.update_xaxes(title=t("epoch"), showgrid=False)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False)
    if metric.endswith("accuracy"):
        figure.update_yaxes(tickformat=".0%", hoverformat=".1%", range=[0, 1.02])
    else:
        figure.update_yaxes(rangemode="tozero", hoverformat=".4f")
    return figure


def parallel(table: pd.DataFrame, knobs: Mapping[str, str], logs: Sequence[str]) -> go.Figure:
    """Return a line a trial through its knobs to its validation loss, the best orange, the worst grey.

    Args:
        table: rows with `val_loss` and the knobs.
        knobs: the knobs' columns with their titles.
        logs: those with a logarithmic axis.
    """
    axes = [_axis(table[name], title, name in logs) for name, title in knobs.items()]
    loss = table["val_loss"]
    axes.append({"label": t("validation loss"), "values": loss})
    line = {"color": loss, "colorscale": _BEST_TO_WORST, "cmin": float(loss.min()), "cmax": float(loss.quantile(0.9))}
    figure = go.Figure(go.Parcoords(dimensions=axes, line=line))
    return figure.update_layout(**layout() | {"height": 360, "margin": {"l": 70, "r": 50, "t": 60, "b": 24}})


def _axis(values: pd.Series, title: str, log: bool) -> dict[str, Any]:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        names = sorted(values.astype(str).unique())
        places = values.astype(str).map({name: k for k, name in enumerate(names)})
        return {"label": title, "values": places, "tickvals": list(range(len(names))), "ticktext": names}
    if not log:
        return {"label": title, "values": values}
    import numpy as np

    powers = np.log10(values.astype(float))
    ticks = list(range(int(np.floor(powers.min())), int(np.ceil(powers.max())) + 1))
    return {"label": title, "values": powers, "tickvals": ticks, "ticktext": [f"1e{tick}" for tick in ticks]}


def importance(shares: Mapping[str, float], titles: Mapping[str, str]) -> go.Figure:
    """Return a bar a knob, 0 to 100 %: its share in what made good trials good."""
    figure = go.Figure(layout=layout() | {"height": 80 + 36 * len(shares), "hovermode": "closest"})
    names = [translate(titles[name]) for name in shares]
    figure.add_bar(x=list(shares.values()), y=names, orientation="h", marker_color=palette.TRAINING, hoverinfo="skip",
                   text=[f"{share:.0%}" for share in shares.values()], textposition="auto")  # fmt: skip
    figure.update_xaxes(range=[0, 1], tickformat=".0%", gridcolor=_GRID)
    figure.update_yaxes(autorange="reversed")
    return figure
