"""Plotly figures of probabilities: ROC, precision-recall, reliability, histograms and accuracy by coverage."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from sklearn.metrics import precision_recall_curve, roc_curve

from cxrcore.evaluation import probability_metrics
from cxrcore.evaluation.decision import OperatingPoint
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.evaluation.probability_metrics import ReliabilityBin
from cxrcore.figures import palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout
from cxrcore.figures.formatting import plotly_label, with_interval
from cxrcore.i18n import t

_MARGIN = {"l": 8, "r": 24, "t": 36, "b": 8}  # room for the last label of the x axis
_LONGEST = 28  # characters of a class name in the legend
_BINS, _MIDDLE = 20, 0.5
_MOST_POINTS = 1000  # of a curve: more are not seen, and a browser would take seconds to draw 100,000
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
        x, y = _thinned(*roc_curve(positive, score)[:2])
        figure.add_scatter(x=x, y=y, name=plotly_label(name, _LONGEST), mode="lines", line=line)
    return figure


def operating_point(
    true: Sequence[str], score: np.ndarray, name: str, classes: Sequence[str], point: OperatingPoint
) -> go.Figure:
    """Return the ROC curve of class `name` with a dot at a decision threshold.

    Args:
        true: the classes of the images.
        score: (n,), their probabilities of the class, 0 to 1.
        name: the class.
        classes: all classes of the run.
        point: what the threshold gives.
    """
    figure = roc(true, {name: score}, classes)
    sensitivity, specificity = point.sensitivity.value, point.specificity.value
    if sensitivity is None or specificity is None:
        return figure
    text = t("sensitivity") + f" {with_interval(point.sensitivity)}<br>"
    text += t("specificity") + f" {with_interval(point.specificity)}"
    figure.add_scatter(
        x=[1 - specificity],
        y=[sensitivity],
        mode="markers",
        cliponaxis=False,
        marker={"size": 13, "color": palette.VALIDATION, "line": {"color": "#fff", "width": 2}},
        text=[text],
        hovertemplate="%{text}<extra></extra>",
    )
    return figure


def histogram(
    positive: np.ndarray, score: np.ndarray, threshold: float, names: tuple[str, str], colours: tuple[str, str]
) -> go.Figure:
    """Return how the probabilities of one class are distributed over the images of the class and over the others.

    Args:
        positive: (n,), whether an image is of the class.
        score: (n,), its probability of the class, 0 to 1.
        threshold: where a line stands, 0 to 1.
        names: of the class and of the others.
        colours: of both.
    """
    edges = np.linspace(0, 1, _BINS + 1)
    margin = {"l": 8, "r": 24, "t": 60, "b": 8}
    figure = go.Figure(
        layout=layout(
            330,
            t("Probability of {label}", label=plotly_label(names[0], _LONGEST)),
            barmode="overlay",
            bargap=0.04,
            hovermode="closest",
            legend=LEGEND_BELOW,
            margin=margin,
        )
    )
    for inside, name, colour in zip((~positive, positive), reversed(names), reversed(colours), strict=True):
        counts, _ = np.histogram(score[inside], edges)
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts / max(int(inside.sum()), 1),
            width=1 / _BINS,
            customdata=np.stack([counts, edges[:-1], edges[1:]], axis=-1),
            name=plotly_label(name, _LONGEST),
            marker={"color": colour, "opacity": 0.65},
            hovertemplate="%{customdata[1]:.0%}-%{customdata[2]:.0%}: %{y:.1%} (%{customdata[0]})"
            "<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(
        x=threshold,
        line={"color": palette.VALIDATION, "width": 2, "dash": "dash"},
        annotation={
            "text": t("threshold {value:.0%}", value=threshold),
            "yref": "paper",
            "y": 1,
            "yanchor": "bottom",
            "xanchor": "left" if threshold < _MIDDLE else "right",
        },
    )
    figure.update_xaxes(range=[0, 1], dtick=0.25, tickformat=".0%", showgrid=False, zeroline=False)
    figure.update_yaxes(title=t("share of the images"), tickformat=".0%", gridcolor=GRID, zeroline=False)
    return figure


def precision_recall(true: Sequence[str], probabilities: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """Return one precision-recall curve for each class of `probabilities` against the rest; see `roc`."""
    figure = _square(t("Precision-recall"), t("recall (sensitivity)"), t("precision"), len(probabilities))
    for name, positive, score, line in _occurring(true, probabilities, classes):
        y, x, _ = precision_recall_curve(positive, score)
        x, y = _thinned(x, y)
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
    share, accuracy = _thinned(share, accuracy)
    figure.add_scatter(x=share, y=accuracy, mode="lines", line=line, showlegend=False)
    figure.add_vline(x=at, line=_GREY)
    return figure


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve of at most `_MOST_POINTS` of its points, evenly chosen, with the first and the last."""
    if len(x) <= _MOST_POINTS:
        return x, y
    kept = np.linspace(0, len(x) - 1, _MOST_POINTS).round().astype(int)
    return x[kept], y[kept]


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
