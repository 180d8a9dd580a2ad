"""The operating point of one class, and referral of images with low confidence."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from cxrcore.data import classes
from cxrcore.evaluation import decision
from cxrcore.evaluation.decision import OperatingPoint
from cxrcore.figures import formatting, probability_curves
from cxrcore.i18n import t


def show(table: pd.DataFrame, names: Sequence[str], positive: str) -> None:
    """Show sensitivity and specificity by decision threshold, and accuracy with referral.

    A two-class question has one threshold, that of its `positive` class, "" for more classes.
    """
    left, right = st.columns(2, gap="large")
    with left:
        _operating_point(table, names, positive)
    with right:
        _referral(table, names)
    st.caption(
        t(
            "For exploration only: a threshold chosen on test images looks better than it will be on new images. All "
            "other results use the class with the highest probability."
        )
    )


def _operating_point(table: pd.DataFrame, names: Sequence[str], positive: str) -> None:
    st.subheader(t("Operating point"))
    st.caption(t("Sensitivity and specificity of one class at a decision threshold."))
    name, others = positive, t("other classes")
    if positive:
        (others,) = (classes.label(other) for other in names if other != positive)
    else:
        name = st.selectbox(t("Class"), names, format_func=classes.label, key="threshold class")
    threshold = st.slider(t("Decision threshold (predicted positive from this probability)"), 0.0, 1.0, 0.5, 0.01)
    prevalence = st.slider(t("Prevalence: share of patients with the disease, %"), 0.1, 100.0, 10.0, 0.1) / 100
    found, label = decision.at_threshold(table, name, threshold), classes.label(name)
    st.markdown(
        t(
            "Sensitivity **{sensitivity}**, specificity **{specificity}**.",
            sensitivity=formatting.with_interval(found.sensitivity),
            specificity=formatting.with_interval(found.specificity),
        )
    )
    st.markdown(_ppv(found, prevalence))
    st.markdown(_npv(found, prevalence))
    index, columns = [label, others], [t("predicted positive"), t("predicted negative")]
    st.dataframe(pd.DataFrame(found.matrix, index=index, columns=columns), height="content")


def _ppv(found: OperatingPoint, prevalence: float) -> str:
    """Return the positive predictive value in the test set and at a prevalence as a sentence."""
    if not found.ppv.n:
        return t("No test image is predicted positive at this threshold.")
    here = t("PPV in this test set: {ppv}.", ppv=formatting.with_interval(found.ppv))
    return _with_prevalence(here, decision.ppv_at, found, prevalence)


def _npv(found: OperatingPoint, prevalence: float) -> str:
    """Return the negative predictive value in the test set and at a prevalence as a sentence."""
    if not found.npv.n:
        return t("No test image is predicted negative at this threshold.")
    here = t("NPV in this test set: {npv}.", npv=formatting.with_interval(found.npv))
    return _with_prevalence(here, decision.npv_at, found, prevalence)


def _with_prevalence(
    here: str, value_at: Callable[[float, float, float], float | None], found: OperatingPoint, prevalence: float
) -> str:
    sensitivity, specificity = found.sensitivity.value, found.specificity.value
    if sensitivity is None or specificity is None or (value := value_at(sensitivity, specificity, prevalence)) is None:
        return here
    return here + " " + t("At a prevalence of {prevalence:.1%}: **{ppv:.1%}**.", prevalence=prevalence, ppv=value)


def _referral(table: pd.DataFrame, names: Sequence[str]) -> None:
    st.subheader(t("Referral"))
    st.caption(t("Images with a low confidence are referred to a radiologist instead of being classified."))
    least = st.slider(t("Refer below confidence"), 0.0, 1.0, 0.0, 0.01)
    found = decision.with_referral(table, names, least)
    kept = found.coverage.successes or 0
    st.markdown(
        t(
            "Accuracy **{accuracy}** on {kept} images; {referred} are referred.",
            accuracy=formatting.with_interval(found.accuracy),
            kept=kept,
            referred=found.coverage.n - kept,
        )
    )
    coverage, accuracy = decision.accuracy_by_coverage(table, names)
    figure = probability_curves.coverage(coverage, accuracy, found.coverage.value or 0.0)
    st.plotly_chart(figure, key="coverage", alt=t("Accuracy by coverage"))
