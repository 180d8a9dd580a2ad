"""What several rounds of training and testing say together."""

import streamlit as st

from cxrcore.figures import formatting
from cxrcore.i18n import t
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Show the mean of a run's rounds; nothing for a run of one."""
    if not (found := run.rounds):
        return
    mean, done = found["mean"]["accuracy"], len(found["done"])
    parts = [
        t(
            "Mean test accuracy of {done} of {planned} rounds: **{mean}**.",
            done=done, planned=found["planned"], mean=formatting.percent(mean),
        ),
        t("95% interval: {interval}.", interval=formatting.interval(mean))
        if mean["ci95"][0] is not None
        else t("No interval can be given: the rounds done so far do not differ."),
        t("The first round's model is the run's, and the pages show its test."),
    ]  # fmt: skip
    st.info(" ".join(parts), icon=":material/repeat:")
