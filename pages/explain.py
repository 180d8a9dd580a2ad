"""Explain: heatmaps of the test images and of uploaded images, and how faithful they are to the model."""

import streamlit as st

from cxrcore.i18n import t
from cxrcore.ui import entry, feedback, selection
from cxrcore.ui.explain import view

entry.required()
st.title(t("Explain"))
st.caption(t("Heatmaps of the image regions that contribute to a prediction."))

with feedback.friendly():
    run = selection.choose_run()
    if run is None:
        selection.no_run()
    else:
        view.show(run)
