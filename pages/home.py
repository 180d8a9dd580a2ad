"""Home: what the program does, existing datasets and runs, and the next step."""

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import t, translate
from cxrcore.ui import entry, feedback
from cxrcore.ui.home import home

entry.required()
st.title(t("Chest X-ray studio"))
st.markdown(
    t(
        "Train a chest X-ray classifier, evaluate it, explain its predictions, and check what it has learned. "
        "All data stay on this machine."
    )
)
st.warning(
    t("{notice} A model may be accurate for the wrong reasons.", notice=translate(feedback.NOTICE)),
    icon=":material/warning:",
)
with feedback.friendly():
    if settings.read_only():
        home.demonstration()
    else:
        home.workspace()
