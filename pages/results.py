"""Results: the accuracy of a run on its test images, its errors and its robustness."""

import streamlit as st

from cxrcore.i18n import t
from cxrcore.ui import entry, feedback, selection
from cxrcore.ui.results import view

entry.required()
st.title(t("Results"))
st.caption(t("Test accuracy of a run, its errors and its robustness."))

with feedback.friendly():
    run = selection.choose_run()
    if run is None:
        selection.no_run()
    else:
        view.show(run)
