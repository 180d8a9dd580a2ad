"""Results: how often a run is right, how sure that is, and every test image."""

import streamlit as st

from cxrcore.i18n import t
from cxrcore.ui import entry, feedback, selection
from cxrcore.ui.results import view

entry.required()
st.title(t("Results"))

run = selection.choose_run()
if run is None:
    selection.no_run()
else:
    with feedback.friendly():
        view.show(run)
