"""Plotly figures of probabilities: ROC, precision-recall and reliability."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from sklearn.metrics import precision_recall_curve, roc_curve

from cxrcore.evaluation import probability_metrics
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.figures import palette
from cxrcore.figures.charts import layout
from cxrcore.i18n import t, translate

_GREY = {"dash": "dot", "color": "#888", "width": 1}


def of(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, go.Figure]:
    """Return `roc`, `precision_recall` and `reliability` of a prediction table."""
    columns = probability_columns(classes)
    by_class = {name: table[column].to_numpy() for name, column in zip(classes, columns, strict=True)}
    true = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()
    return {
        "roc": roc(table["label"], by_class),
        "precision_recall": precision_recall(table["label"], by_class),
        "reliability": reliability(probability_metrics.reliability(true, table[columns].to_numpy(float))),
    }


def roc(true: Sequence[str], probabilities: Mapping[str, np.ndarray]) -> go.Figure:
    """Return one ROC curve a class, each against the rest; classes that do not occur are left out."""
    figure = _square(t("ROC"), t("1 - specificity"), t("sensitivity"))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_GREY, hoverinfo="skip", showlegend=False)
    for name, positive, score, colour in _occurring(true, probabilities):
        x, y, _ = roc_curve(positive, score)
        figure.add_scatter(x=x, y=y, name=translate(name), mode="lines", line={"color": colour, "width": 2})
    return figure


def precision_recall(true: Sequence[str], probabilities: Mapping[str, np.ndarray]) -> go.Figure:
    """Return one precision-recall curve a class, each against the rest."""
    figure = _square(t("Precision and recall"), t("recall (sensitivity)"), t("precision"))
    for name, positive, score, colour in _occurring(true, probabilities):
        y, x, _ = precision_recall_curve(positive, score)
        figure.add_scatter(
            x=x, y=y, name=translate(name), mode="lines", line={"color": colour, "width": 2, "shape": "hv"}
        )
    return figure


def reliability(bins: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Return the share that is right by bin of confidence, with Wilson's intervals (see `scores.reliability`)."""
    figure = _square(t("Calibration"), t("confidence"), t("share right"))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_GREY, hoverinfo="skip", showlegend=False)
    share = [found["right"] / found["n"] for found in bins]
    figure.add_scatter(
        x=[found["confidence"] for found in bins],
        y=share,
        mode="markers",
        marker={"color": palette.TRAINING, "size": 9},
        error_y={
            "array": [found["ci95"][1] - value for found, value in zip(bins, share, strict=True)],
            "arrayminus": [value - found["ci95"][0] for found, value in zip(bins, share, strict=True)],
            "color": palette.TRAINING,
        },
        text=[t("{right} of {n} right", right=found["right"], n=found["n"]) for found in bins],
        hovertemplate=t("confidence") + " %{x:.0%}<br>%{text}<extra></extra>",
        showlegend=False,
    )
    return figure


def coverage(share: np.ndarray, accuracy: np.ndarray, at: float) -> go.Figure:
    """Return accuracy by the share of images answered, the surest first; the chosen share `at` is marked."""
    figure = _square(t("Accuracy by share answered"), t("share answered"), t("accuracy"))
    figure.add_scatter(
        x=share, y=accuracy, mode="lines", line={"color": palette.TRAINING, "width": 2}, showlegend=False
    )
    figure.add_vline(x=at, line=_GREY)
    return figure


def _occurring(true: Sequence[str], probabilities: Mapping[str, np.ndarray]) -> Any:
    colours = palette.class_colours(list(probabilities))
    for name, score in probabilities.items():
        positive = np.asarray(true) == name
        if positive.any() and not positive.all():
            yield name, positive, score, colours[name]


def _square(title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure(layout=layout() | {"title": {"text": title, "font": {"size": 15}}, "height": 340})
    figure.update_layout(hovermode="closest", legend={"y": -0.25, "yanchor": "top", "x": 0, "xanchor": "left"})
    for axis, name in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title=name, range=[-0.02, 1.02], tickformat=".0%", gridcolor="rgba(128,128,128,0.25)", zeroline=False)
    return figure
