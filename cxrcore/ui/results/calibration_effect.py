"""Expected calibration error and Brier score of a logistic head, before and after temperature scaling."""

import streamlit as st

from cxrcore.evaluation import calibration
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, t
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Show what the temperature in the saved model changed on its test images, nothing where it is 1."""
    if not run.selection or run.selection.temperature == 1:
        return
    st.subheader(t("Calibration"))
    with st.spinner(t("Computing the intervals (bootstrap)")):
        found = calibration.of_run(run)
    if not found:
        return
    before = t("before (T = 1)")
    after = t("after (T = {temperature})", temperature=format_number(found.temperature, ".2f"))
    rows = [
        {
            t("temperature scaling"): name,
            t("expected calibration error"): formatting.with_interval(ece),
            t("Brier score (0 is best, 2 is worst)"): formatting.number(brier),
        }
        for name, ece, brier in ((before, found.ece_before, found.brier_before), (after, found.ece, found.brier))
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        t(
            "On the test images. The temperature was fitted on out-of-fold predictions of the training images and is "
            "part of the saved model; predicted classes do not change (Guo et al. 2017)."
        )
    )
