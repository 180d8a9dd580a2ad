"""The summary of the folds or repeats of a run."""

import streamlit as st

from cxrcore.figures import formatting
from cxrcore.i18n import t
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Show the mean test accuracy over a run's folds or repeats; nothing for a run with one split."""
    if not (found := run.resampling):
        return
    mean = found.mean["accuracy"]
    numbers = {"done": len(found.done), "planned": found.planned, "mean": formatting.percent(mean)}
    parts = [
        t("Mean test accuracy of {done} of {planned} folds: **{mean}**.", **numbers)
        if found.kind == "kfold"
        else t("Mean test accuracy of {done} of {planned} repeats: **{mean}**.", **numbers),
        t("95% interval: {interval}.", interval=formatting.interval(mean))
        if mean.has_interval
        else t("No interval is given when all folds or repeats score the same."),
        t("The model and the test results on these pages are those of the first one."),
    ]
    st.info(" ".join(parts), icon=":material/repeat:")
