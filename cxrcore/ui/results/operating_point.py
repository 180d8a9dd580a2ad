"""The operating point of one class, and referral of images with low confidence."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from cxrcore.data import classes
from cxrcore.evaluation import decision
from cxrcore.evaluation.decision import OperatingPoint
from cxrcore.figures import formatting, palette, probability_curves
from cxrcore.i18n import t
from cxrcore.ui import figure_row, kept_figures

_OTHERS = "#888888"  # the colour of several classes together
_NO_TOOLBAR = {"displayModeBar": False}  # it would cover the title


def show(table: pd.DataFrame, names: Sequence[str], positive: str) -> None:
    """Show sensitivity and specificity by decision threshold.

    A two-class question has one threshold, that of its `positive` class, "" for more classes.
    """
    st.subheader(t("Operating point"))
    left, right = figure_row.columns(2, "operating-point")
    with left:
        name, others, colours = _class(names, positive)
        threshold = st.slider(t("Decision threshold (predicted positive from this probability)"), 0.0, 1.0, 0.5, 0.01)
        found = decision.at_threshold(table, name, threshold)
        label, text = classes.label(name), _sentence(found)
        true, score = table["label"].tolist(), table[f"p_{name}"].to_numpy(float)
        figure = kept_figures.made(
            probability_curves.histogram,
            (table["label"] == name).to_numpy(),
            score,
            threshold,
            (label, others),
            colours,
        )
        alt = t("Probability of {label}", label=label) + f". {text}".replace("**", "")
        st.plotly_chart(figure, key="histogram", alt=alt, config=_NO_TOOLBAR)
        st.markdown(text)
    with right:
        figure = kept_figures.made(probability_curves.operating_point, true, score, name, names, found)
        st.plotly_chart(
            figure, key="operating point", alt=f"{t('ROC')}, {label}. {text}".replace("**", ""), config=_NO_TOOLBAR
        )
        index, columns = [label, others], [t("predicted positive"), t("predicted negative")]
        st.dataframe(pd.DataFrame(found.matrix, index=index, columns=columns), height="content")
    left, right = figure_row.columns(2, "predictive-values")
    with left:
        prevalence = st.slider(t("Prevalence: share of patients with the disease, %"), 0.1, 100.0, 10.0, 0.1) / 100
    with right:
        st.markdown(_ppv(found, prevalence))
        st.markdown(_npv(found, prevalence))
    st.caption(
        t(
            "For exploration only: a threshold chosen on test images looks better than it will be on new images. All "
            "other results use the class with the highest probability."
        )
    )


def _class(names: Sequence[str], positive: str) -> tuple[str, str, tuple[str, str]]:
    """Return the class whose threshold it is, the label of the others, and the colours of both."""
    styles = palette.class_styles(names)
    if positive:
        (other,) = (other for other in names if other != positive)
        return positive, classes.label(other), (styles[positive].colour, styles[other].colour)
    name = st.selectbox(t("Class"), names, format_func=classes.label, key="threshold class")
    return name, t("other classes"), (styles[name].colour, _OTHERS)


def _sentence(found: OperatingPoint) -> str:
    return t(
        "Sensitivity **{sensitivity}**, specificity **{specificity}**.",
        sensitivity=formatting.with_interval(found.sensitivity),
        specificity=formatting.with_interval(found.specificity),
    )


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


def referral(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Show the accuracy if images below a confidence that the user chooses are referred to a radiologist."""
    st.subheader(t("Referral"))
    left, right = figure_row.columns(2, "referral")
    with right:
        st.caption(t("Images with a low confidence are referred to a radiologist instead of being classified."))
        least = st.slider(t("Refer below confidence"), 0.0, 1.0, 0.0, 0.01)
        found = decision.with_referral(table, names, least)
        certain = found.coverage.successes or 0
        st.markdown(
            t(
                "Accuracy **{accuracy}** on {kept} images; {referred} are referred.",
                accuracy=formatting.with_interval(found.accuracy),
                kept=certain,
                referred=found.coverage.n - certain,
            )
        )
    with left:
        coverage, accuracy = decision.accuracy_by_coverage(table, names)
        figure = kept_figures.made(probability_curves.coverage, coverage, accuracy, found.coverage.value or 0.0)
        st.plotly_chart(figure, key="coverage", alt=t("Accuracy by coverage"), config=_NO_TOOLBAR)
