"""The headline of a run with folds or repeats: the mean accuracy over them, and each of them as a point."""

from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from cxrcore.figures import formatting, resampling
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, kept_figures


def show(run: Run, beside: Mapping[str, str] = MappingProxyType({})) -> None:
    """Show the mean of a run's folds or repeats with its interval and the numbers `beside` it, and a strip plot."""
    if not (found := run.averaged):
        return
    mean = found.mean["accuracy"]
    numbers: dict[str, str | int] = {t("Test accuracy, {mean}", mean=translate(found.label)): formatting.percent(mean)}
    if mean.has_interval:
        numbers[t("95% interval")] = formatting.interval(mean)
    numbers |= beside
    if len(found.done) < found.planned:
        done = t("Folds") if found.kind == "kfold" else t("Repeats")
        numbers[done] = t("{done} of {all}", done=len(found.done), all=found.planned)
    if found.kind == "kfold":  # repeats test an image several times
        numbers[t("Images tested")] = mean.n
    feedback.numbers(numbers)
    values = ", ".join(formatting.percent(metric) for metric in found.done)
    alt = t("Accuracy of each: {values}. Mean {mean}.", values=values, mean=formatting.with_interval(mean))
    st.plotly_chart(kept_figures.made(resampling.folds, found), key=f"folds {run.name}", alt=alt)
    if mean.has_interval:
        st.caption(
            t("Points: the test accuracy of each fold or repeat. Line and band: their mean and its 95% interval.")
        )
    else:
        st.caption(t("No interval is given when all folds or repeats score the same."))
