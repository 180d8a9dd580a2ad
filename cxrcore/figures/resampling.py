"""The strip plot of the folds or repeats of a run."""

from collections import Counter

import plotly.graph_objects as go

from cxrcore.figures import formatting, palette
from cxrcore.figures.charts import GRID, layout
from cxrcore.i18n import t
from cxrcore.runs import ResamplingResult

_HEIGHT = 130
_LEAST_WIDTH = 0.1  # of the axis: folds that are nearly equal look so
_END = 1.004  # of the axis: a point at 1 is whole
_CLOSE = 1 / 30  # of the axis: points nearer than that stand above each other
_STEP = 0.4  # from a point to the next above it


def folds(found: ResamplingResult) -> go.Figure:
    """Return the accuracy of each fold or repeat as a point, over their mean (line) and its 95 % interval (band)."""
    mean, values = found.mean["accuracy"], [metric.value or 0.0 for metric in found.done]
    figure = go.Figure(layout=layout(_HEIGHT, hovermode="closest", showlegend=False))
    if mean.low is not None and mean.high is not None:
        figure.add_vrect(mean.low, mean.high, fillcolor="#888", opacity=0.22, line_width=0)
    figure.add_vline(mean.value, line={"color": "#888", "width": 2})
    ends = [*values, *(end for end in (mean.low, mean.high) if end is not None)]
    low, high = min(ends), max(ends)
    pad = max(0.01, (_LEAST_WIDTH - (high - low)) / 2)
    figure.add_scatter(
        x=values,
        y=_heights(values, (high - low + 2 * pad) * _CLOSE),
        mode="markers",
        marker={"size": 11, "color": palette.TRAINING, "line": {"width": 1, "color": "#fff"}},
        text=[_text(found, number) for number in range(len(values))],
        hovertemplate="%{text}<extra></extra>",
    )
    ends_at = min(high + pad, _END)  # no accuracy is above 1
    figure.update_xaxes(range=[low - pad, ends_at], tickformat=".0%", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(visible=False, range=[-1, 1])
    return figure


def _heights(values: list[float], close: float) -> list[float]:
    """Return a height for each point, around 0, so that values `close` to each other do not hide each other."""
    keys = [round(value / close) for value in values]
    total, seen, heights = Counter(keys), Counter[int](), []
    for key in keys:
        step = min(_STEP, 1.6 / total[key])
        heights.append((seen[key] - (total[key] - 1) / 2) * step)
        seen[key] += 1
    return heights


def _text(found: ResamplingResult, number: int) -> str:
    metric = found.done[number]
    values = {"number": number + 1, "accuracy": formatting.percent(metric), "right": metric.successes, "n": metric.n}
    if found.kind == "kfold":
        return t("Fold {number}: {accuracy} ({right} of {n})", **values)
    return t("Repeat {number}: {accuracy} ({right} of {n})", **values)
