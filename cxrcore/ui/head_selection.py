"""What a logistic head was chosen from."""

import streamlit as st

from cxrcore.features import backbones
from cxrcore.figures import selection
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.runs.models import Selection
from cxrcore.ui import feedback


def show(run: Run, found: Selection) -> None:
    """Show in a sentence what was chosen and why, and a plot of the candidates where there were several."""
    messages = [found.sentence, found.note] if found.note else [found.sentence]
    st.markdown(feedback.plain_text(" ".join(translate(message) for message in messages)))
    if len(found.trials) > 1:
        figure = selection.selection(found, backbones.get(run.config.backbone))
        alt = t("Out-of-fold log loss of each candidate")
        st.plotly_chart(figure, key=f"selection {run.name}", alt=alt)
