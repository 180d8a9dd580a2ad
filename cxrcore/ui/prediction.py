"""The prediction of a run for one image: the class, whether it is correct, and the probabilities as bars."""

from collections.abc import Mapping

import streamlit as st

from cxrcore.data import classes
from cxrcore.figures import charts, formatting
from cxrcore.i18n import format_number, t
from cxrcore.ui import feedback, kept_figures

_MOST_BARS = 10  # classes up to which every probability has a bar


def show(true: str, probabilities: Mapping[str, float], key: str = "probabilities") -> None:
    """Show the class with the highest probability and the bars.

    Args:
        true: the true class, "" if it is not known.
        probabilities: by class, all classes of the run.
        key: of the figure.
    """
    predicted = max(probabilities, key=probabilities.__getitem__)
    label, true_label = (feedback.plain_text(classes.label(name)) for name in (predicted, true))
    if not true:
        st.markdown(t("Predicted **{predicted}**.", predicted=label))
    elif predicted == true:
        st.markdown(t("Predicted **{predicted}**, which is correct.", predicted=label))
    else:
        text = t(
            "Predicted **{predicted}**, which is **incorrect**: it is **{true}**.", predicted=label, true=true_label
        )
        st.markdown(text)
    names, shown = list(probabilities), probabilities
    if len(names) > _MOST_BARS:
        shown = formatting.highest(probabilities)
        st.caption(t("The {n} highest of {all} probabilities.", n=len(shown), all=len(names)))
    alt = ", ".join(f"{classes.label(name)} {format_number(value, '.1%')}" for name, value in shown.items())
    figure = kept_figures.made(charts.probabilities, shown, names)
    st.plotly_chart(figure, key=key, alt=t("Probabilities: {alt}", alt=alt), config={"displayModeBar": False})
