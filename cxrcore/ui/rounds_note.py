"""What several rounds of training and testing say together."""

import streamlit as st

from cxrcore.language import t
from cxrcore.report import words
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Show the mean of a run's rounds; nothing for a run of one."""
    if not (found := run.rounds):
        return
    mean = found["mean"]["accuracy"]
    st.info(
        t(
            "Mean test accuracy of {done} of {planned} rounds: **{mean}**, 95% interval {interval}. The first round's "
            "model is the run's, and the pages show its test.",
            done=len(found["done"]), planned=found["planned"], mean=words.percent(mean), interval=words.interval(mean),
        ),
        icon=":material/repeat:",
    )  # fmt: skip
