"""The training curves of a run, during and after training."""

from collections.abc import Sequence

import streamlit as st

from cxrcore.figures import charts
from cxrcore.i18n import t
from cxrcore.runs.models import EpochMetrics

_POINTS = 400


def show(epochs: Sequence[EpochMetrics], planned: int, kept: int | None, key: str, iterations: bool = False) -> None:
    """Show accuracy and loss by epoch, at most `_POINTS` of them; `kept` is the epoch whose weights were kept. Those of
    a logistic head are the `iterations` of its solver, of which none is kept: the last is the optimum.
    """
    last = epochs[-1]
    thinned = [*_thinned(epochs[:-1]), last]
    columns, values = st.columns(2), [(last.accuracy, last.val_accuracy), (last.loss, last.val_loss)]
    metrics = [("accuracy", t("Accuracy")), ("loss", t("Loss"))]
    for column, (metric, title), (training, validation) in zip(columns, metrics, values, strict=True):
        alt = t(
            "{title} by epoch or iteration; the last is {training:.3f} in training, {validation:.3f} in validation",
            title=title,
            training=training,
            validation=validation,
        )
        figure = charts.curves(thinned, metric, title, planned, None if iterations else kept, iterations)
        column.plotly_chart(figure, key=f"curve {metric} {key}", alt=alt)
    if iterations:
        st.caption(
            t(
                "Iterations of the solver, means over the folds of the cross-validation inside the training images; "
                "validation means the images that are held out."
            )
        )


def learning_rate(epochs: Sequence[EpochMetrics]) -> None:
    """Show the learning rate by epoch."""
    st.plotly_chart(charts.learning_rate(_thinned(epochs)), key="learning rate", alt=t("Learning rate by epoch"))


def _thinned(epochs: Sequence[EpochMetrics]) -> Sequence[EpochMetrics]:
    return epochs[:: max(1, len(epochs) // _POINTS)]
