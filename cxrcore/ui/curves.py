"""The training curves of a run, during and after training."""

import math
from collections.abc import Collection, Sequence

import plotly.graph_objects as go
import streamlit as st

from cxrcore.figures import charts
from cxrcore.i18n import t
from cxrcore.runs.models import EpochMetrics, RunEvent
from cxrcore.ui import kept_figures

_POINTS = 400
_BARE = {"displayModeBar": False}  # the toolbar would cover the title


def show(
    epochs: Sequence[EpochMetrics],
    planned: int,
    kept: int | None,
    key: str,
    iterations: bool = False,
    previous: Sequence[EpochMetrics] = (),
) -> None:
    """Show accuracy and loss by epoch, at most `_POINTS` of them; `kept` is the epoch whose weights were kept. The one
    with the lowest validation loss is marked, too. Those of a logistic head are the `iterations` of its solver, of
    which none is kept: the last is the optimum. `previous` are those of an earlier run, for a pale line.
    """
    last, best = epochs[-1], None if iterations else _best(epochs)
    thinned, earlier = _thinned(epochs, {last.epoch, best, kept}), _thinned(previous)
    columns, values = st.columns(2), [(last.accuracy, last.val_accuracy), (last.loss, last.val_loss)]
    metrics = [("accuracy", t("Accuracy")), ("loss", t("Loss"))]
    for column, (metric, title), (training, validation) in zip(columns, metrics, values, strict=True):
        alt = t(
            "{title} by epoch or iteration; the last is {training:.3f} in training, {validation:.3f} in validation",
            title=title,
            training=training,
            validation=validation,
        )
        marked = None if best == kept else best
        figure = kept_figures.made(
            _figure, thinned, metric, title, planned, None if iterations else kept, iterations, marked, earlier
        )
        column.plotly_chart(figure, key=f"curve {metric} {key}", alt=alt, config=_BARE)
    if iterations:
        st.caption(
            t(
                "Iterations of the solver, means over the folds of the cross-validation inside the training images; "
                "validation means the images that are held out."
            )
        )


def _figure(
    epochs: Sequence[EpochMetrics],
    metric: str,
    title: str,
    planned: int,
    kept: int | None,
    iterations: bool,
    best: int | None,
    previous: Sequence[EpochMetrics],
) -> go.Figure:
    figure = charts.curves(epochs, metric, title, planned, kept, iterations, best, previous)
    return figure.update_layout(legend=charts.LEGEND_BELOW, margin={"b": 40})


def learning_rate(epochs: Sequence[EpochMetrics], changes: Sequence[RunEvent] = (), key: str = "") -> None:
    """Show the learning rate by epoch with its changes."""
    shown = {epochs[-1].epoch, *(change.epoch for change in changes)}
    figure = kept_figures.made(charts.learning_rate, _thinned(epochs, shown), list(changes))
    st.plotly_chart(figure, key=f"learning rate {key}".strip(), alt=t("Learning rate by epoch"), config=_BARE)


def _best(epochs: Sequence[EpochMetrics]) -> int | None:
    """Return the epoch with the lowest validation loss, None if none has one."""
    known = [epoch for epoch in epochs if math.isfinite(epoch.val_loss)]
    return min(known, key=lambda epoch: epoch.val_loss).epoch if known else None


def _thinned(epochs: Sequence[EpochMetrics], kept: Collection[int | None] = ()) -> list[EpochMetrics]:
    """Return about `_POINTS` of the epochs, and those whose numbers are `kept`."""
    step = max(1, len(epochs) // _POINTS)
    return [epoch for number, epoch in enumerate(epochs) if number % step == 0 or epoch.epoch in kept]
