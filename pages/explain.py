"""Explain: heatmaps of the test images and of uploaded images, and how faithful they are to the model."""

import streamlit as st

from cxrcore.i18n import t
from cxrcore.ui import entry, feedback
from cxrcore.ui.explain import view

# On a phone the first screen is for the image and its prediction.
_STYLE = """<style>
@media (max-width: 640px) {
  .stMainBlockContainer { padding-top: 3.75rem; }
  .stMainBlockContainer h1 { font-size: 1.25rem; padding: 0; margin-bottom: -0.75rem; }
}
</style>"""

entry.required()
st.html(_STYLE)
st.title(t("Explain"))

with feedback.friendly():
    view.show()
