"""Plotly figures of probabilities: ROC, precision-recall, reliability and accuracy by coverage."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from sklearn.metrics import precision_recall_curve, roc_curve

from cxrcore.evaluation import probability_metrics
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.evaluation.probability_metrics import ReliabilityBin
from cxrcore.figures import palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout
from cxrcore.figures.formatting import plotly_label
from cxrcore.i18n import t

_MARGIN = {"l": 8, "r": 24, "t": 36, "b": 8}  # room for the last label of the x axis
_LONGEST = 28  # characters of a class name in the legend
_GREY = {"dash": "dot", "color": "#888", "width": 1}


def all_of(table: pd.DataFrame, classes: Sequence[str], shown: Sequence[str]) -> dict[str, go.Figure]:
    """Return `roc` and `precision_recall` of the classes `shown`, and `reliability`, of a prediction table."""
    columns = probability_columns(classes)
    by_class = {name: table[column].to_numpy() for name, column in zip(classes, columns, strict=True) if name in shown}
    true = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()
    return {
        "roc": roc(table["label"], by_class, classes),
        "precision_recall": precision_recall(table["label"], by_class, classes),
        "reliability": reliability(probability_metrics.reliability(true, table[columns].to_numpy(float))),
    }


def roc(true: Sequence[str], probabilities: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """Return one ROC curve for each class of `probabilities` against the rest; those that do not occur are left out.

    `classes` are all classes of the run.
    """
    figure = _square(t("ROC"), t("1 - specificity"), t("sensitivity"), len(probabilities))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_GREY, hoverinfo="skip", showlegend=False)
    for name, positive, score, line in _occurring(true, probabilities, classes):
        x, y, _ = roc_curve(positive, score)
        figure.add_scatter(x=x, y=y, name=plotly_label(name, _LONGEST), mode="lines", line=line)
    return figure


def precision_recall(true: Sequence[str], probabilities: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """Return one precision-recall curve for each class of `probabilities` against the rest; see `roc`."""
    figure = _square(t("Precision-recall"), t("recall (sensitivity)"), t("precision"), len(probabilities))
    for name, positive, score, line in _occurring(true, probabilities, classes):
        y, x, _ = precision_recall_curve(positive, score)
        figure.add_scatter(x=x, y=y, name=plotly_label(name, _LONGEST), mode="lines", line=line | {"shape": "hv"})
    return figure


def reliability(bins: Sequence[ReliabilityBin]) -> go.Figure:
    """Return the accuracy by bin of confidence, with Wilson's intervals (see `probability_metrics.reliability`)."""
    figure = _square(t("Calibration"), t("confidence"), t("accuracy"))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_GREY, hoverinfo="skip", showlegend=False)
    points = [
        (row.confidence, row.accuracy.value or 0.0, row.accuracy.low or 0.0, row.accuracy.high or 0.0) for row in bins
    ]
    figure.add_scatter(
        x=[confidence for confidence, *_ in points],
        y=[value for _, value, *_ in points],
        mode="markers",
        marker={"color": palette.TRAINING, "size": 9},
        error_y={
            "array": [high - value for _, value, _, high in points],
            "arrayminus": [value - low for _, value, low, _ in points],
            "color": palette.TRAINING,
        },
        text=[t("{right} of {n} correct", right=row.accuracy.successes, n=row.accuracy.n) for row in bins],
        hovertemplate=t("confidence") + " %{x:.0%}<br>%{text}<extra></extra>",
        showlegend=False,
    )
    return figure


def coverage(share: np.ndarray, accuracy: np.ndarray, at: float) -> go.Figure:
    """Return accuracy by coverage, the share of images kept when the least confident are referred; `at` is marked."""
    figure = _square(t("Accuracy by coverage"), t("coverage"), t("accuracy"))
    line = {"color": palette.TRAINING, "width": 2}
    figure.add_scatter(x=share, y=accuracy, mode="lines", line=line, showlegend=False)
    figure.add_vline(x=at, line=_GREY)
    return figure


def _occurring(
    true: Sequence[str], probabilities: Mapping[str, np.ndarray], classes: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, np.ndarray, dict[str, Any]]]:
    """Yield name, truth, score and line of each class that some images have and others have not."""
    styles = palette.class_styles(classes)
    for name, score in probabilities.items():
        positive = np.asarray(true) == name
        if positive.any() and not positive.all():
            yield name, positive, score, {"color": styles[name].colour, "dash": styles[name].dash, "width": 2}


def _square(title: str, x: str, y: str, names: int = 1) -> go.Figure:
    """Return an empty figure with room for a legend of so many `names`, each in a line of its own; none for one."""
    more = {"hovermode": "closest", "showlegend": names > 1, "legend": LEGEND_BELOW, "margin": _MARGIN}
    figure = go.Figure(layout=layout(360 + 19 * max(0, names - 3), title, **more))
    for axis, name in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title=name, range=[-0.02, 1.02], dtick=0.25, tickformat=".0%", gridcolor=GRID, zeroline=False)
    return figure
