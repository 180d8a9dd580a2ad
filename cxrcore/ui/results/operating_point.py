"""Two sliders: a threshold for one class, and the confidence below which a human decides."""

import pandas as pd
import streamlit as st

from cxrcore.evaluation import decision
from cxrcore.figures import formatting, probability_curves
from cxrcore.i18n import t, translate


def show(table: pd.DataFrame, classes: list[str]) -> None:
    """Show what a threshold does to sensitivity and specificity, and what abstaining does to accuracy."""
    st.subheader(t("If you decide otherwise"))
    left, right = st.columns(2, gap="large")
    with left:
        _threshold(table, classes)
    with right:
        _abstain(table, classes)
    st.caption(
        t(
            "For looking only: a threshold chosen on test images looks better than it will be on new ones. The answers "
            "elsewhere take the class with the highest probability."
        )
    )


def _threshold(table: pd.DataFrame, classes: list[str]) -> None:
    name = st.selectbox(t("Class"), classes, format_func=translate, key="threshold class")
    threshold = st.slider(t("Decision threshold: called so from this probability on"), 0.0, 1.0, 0.5, 0.01)
    prevalence = st.slider(t("Share of patients who have it (prevalence), %"), 0.1, 100.0, 10.0, 0.1) / 100
    found, label = decision.at_threshold(table, name, threshold), translate(name)
    st.markdown(
        t(
            "Sensitivity **{sensitivity}**, specificity **{specificity}**.",
            sensitivity=formatting.with_interval(found["sensitivity"]),
            specificity=formatting.with_interval(found["specificity"]),
        )
    )
    st.markdown(_predictive_value(found, prevalence, label))
    index = [t("is {label}", label=label), t("is another")]
    st.dataframe(
        pd.DataFrame(found["matrix"], index=index, columns=[t("called so"), t("not called so")]), height="content"
    )


def _predictive_value(found: dict, prevalence: float, label: str) -> str:
    """Say what a positive answer is worth among these images and where a share `prevalence` has the disease."""
    if not found["ppv"]["n"]:
        return t("No test image is called {label} at this threshold.", label=label)
    here = t(
        "Of these test images that are called {label}, {ppv} are.", label=label, ppv=formatting.percent(found["ppv"])
    )
    sensitivity, specificity = found["sensitivity"]["value"], found["specificity"]["value"]
    if sensitivity is None or specificity is None:
        return here
    ppv = decision.ppv_at(sensitivity, specificity, prevalence)
    if ppv is None:
        return here
    there = t(
        "Where {prevalence:.1%} have it, of 100 called {label} about **{count:.0f}** have it.",
        label=label,
        prevalence=prevalence,
        count=100 * ppv,
    )
    return f"{here} {there}"


def _abstain(table: pd.DataFrame, classes: list[str]) -> None:
    least = st.slider(t("Leave to a human what is less sure than"), 0.0, 1.0, 0.0, 0.01)
    found = decision.abstaining(table, classes, least)
    st.markdown(
        t(
            "Right on **{accuracy}** of the {answered} answered; {left} go to a human.",
            accuracy=formatting.with_interval(found["accuracy"]),
            answered=found["coverage"]["successes"],
            left=found["coverage"]["n"] - found["coverage"]["successes"],
        )
    )
    coverage, accuracy = decision.accuracy_by_coverage(table, classes)
    at = found["coverage"]["value"] or 0.0
    st.plotly_chart(
        probability_curves.coverage(coverage, accuracy, at), key="coverage", alt=t("Accuracy by share answered")
    )
