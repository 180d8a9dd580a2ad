"""The curves of a run, while it learns and afterwards."""

from typing import Any

import streamlit as st

from cxrcore.figures import charts
from cxrcore.i18n import t

_POINTS = 400


def show(epochs: list[dict[str, Any]], planned: int, kept: int | None, key: str) -> None:
    """Show accuracy and loss by epoch, at most `_POINTS` of them; `kept` is the epoch that became the model."""
    last, step = epochs[-1], max(1, len(epochs) // _POINTS)
    thinned = [*epochs[:-1:step], last]
    left, right = st.columns(2)
    for column, metric, title in ((left, "accuracy", t("Accuracy")), (right, "loss", t("Loss"))):
        alt = t(
            "{title} by epoch; the last is {training:.3f} in training, {validation:.3f} in validation",
            title=title,
            training=last[metric],
            validation=last[f"val_{metric}"],
        )
        figure = charts.curves(thinned, metric, title, planned, kept)
        column.plotly_chart(figure, key=f"curve {metric} {key}", alt=alt)


def learning_rate(epochs: list[dict[str, Any]]) -> None:
    """Show the learning rate by epoch."""
    step = max(1, len(epochs) // _POINTS)
    st.plotly_chart(charts.learning_rate(epochs[::step]), key="learning rate", alt=t("Learning rate by epoch"))
