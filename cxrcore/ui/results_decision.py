"""Two sliders: a threshold for one class, and the confidence below which a human decides."""

import pandas as pd
import streamlit as st

from cxrcore.evaluation import decision
from cxrcore.report import score_figures
from cxrcore.ui import messages


def show(table: pd.DataFrame, classes: list[str]) -> None:
    """Show what a threshold does to sensitivity and specificity, and what abstaining does to accuracy."""
    st.subheader("If you decide otherwise")
    left, right = st.columns(2, gap="large")
    with left:
        _threshold(table, classes)
    with right:
        _abstain(table, classes)
    st.caption(
        "For looking only: a threshold chosen on test images looks better than it will be on new ones. The answers "
        "above take the class with the highest probability."
    )


def _threshold(table: pd.DataFrame, classes: list[str]) -> None:
    name = st.selectbox("Class", classes, key="threshold class")
    threshold = st.slider("Call it from this probability on", 0.0, 1.0, 0.5, 0.01)
    prevalence = st.slider("Share of patients who have it (prevalence), %", 0.1, 100.0, 10.0, 0.1) / 100
    found = decision.at_threshold(table, name, threshold)
    sensitivity, specificity = found["sensitivity"], found["specificity"]
    st.markdown(
        f"Sensitivity **{messages.with_interval(sensitivity)}**, specificity **{messages.with_interval(specificity)}**."
    )
    if sensitivity["value"] is not None and specificity["value"] is not None:
        ppv = decision.ppv_at(sensitivity["value"], specificity["value"], prevalence)
        told = "nobody is called so" if ppv is None else f"of 100 called so, about **{100 * ppv:.0f}** have it"
        st.markdown(
            f"Where {prevalence:.1%} have it, {told}; among these test images, {messages.percent(found['ppv'])}."
        )
    index = [f"is {name}", "is another"]
    st.dataframe(pd.DataFrame(found["matrix"], index=index, columns=["called so", "not called so"]), height="content")


def _abstain(table: pd.DataFrame, classes: list[str]) -> None:
    least = st.slider("Leave to a human what is less sure than", 0.0, 1.0, 0.0, 0.01)
    found = decision.abstaining(table, classes, least)
    left = found["coverage"]["n"] - found["coverage"]["successes"]
    st.markdown(
        f"Right on **{messages.with_interval(found['accuracy'])}** of the {found['coverage']['successes']} answered; "
        f"{left} go to a human."
    )
    coverage, accuracy = decision.accuracy_by_coverage(table, classes)
    at = found["coverage"]["value"] or 0.0
    st.plotly_chart(score_figures.coverage(coverage, accuracy, at), key="coverage", alt="Accuracy by share answered")
