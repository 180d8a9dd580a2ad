"""Confusion matrices of the chosen runs side by side."""

from collections.abc import Sequence

import streamlit as st

from cxrcore.evaluation import reported
from cxrcore.figures import confusion_matrix, palette
from cxrcore.i18n import t
from cxrcore.runs import Run
from cxrcore.ui import feedback, kept_figures

_MOST = 4


def show(chosen: Sequence[Run], labels: dict[str, str]) -> None:
    """Show the matrices of the first runs that have results."""
    tested = [run for run in chosen if run.metrics]
    if not tested:
        return
    st.subheader(t("Confusion matrices"))
    if len(tested) > _MOST:
        st.caption(t("Of the first {n} runs.", n=_MOST))
    ink = palette.INK[st.context.theme.type or "light"]
    columns = [*st.columns(2), *(st.columns(2) if len(tested) > 2 else [])]
    for column, run in zip(columns, tested[:_MOST], strict=False):
        with column, feedback.friendly():
            st.markdown(feedback.plain_text(labels[run.name]))
            counts = reported.confusion(run)
            figure = kept_figures.made(
                confusion_matrix.confusion, counts, run.classes, confusion_matrix.BY_TRUE, ink, clickable=False
            )
            alt = t("Confusion matrix, rows true and columns predicted")
            st.plotly_chart(figure, key=f"matrix {run.name}", alt=alt, config={"displayModeBar": False})
