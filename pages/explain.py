"""Explain: where a run looks, whether that can be believed, and what it makes of any uploaded image."""

import streamlit as st

from cxrcore.i18n import N_, t
from cxrcore.ui import entry, feedback, query_params, selection
from cxrcore.ui.explain import comparison, faithfulness, mean_heatmap, shortcut_warning, test_images, upload

entry.required()
st.title(t("Explain"))

run = selection.choose_run()
if run is None:
    selection.no_run()
else:
    shortcut_warning.show(run)
    views = {
        N_("Test images"): test_images,
        N_("Upload"): upload,
        N_("Compare"): comparison,
        N_("On average"): mean_heatmap,
        N_("To be believed?"): faithfulness,
    }
    for code, tab in query_params.tabs("show", list(views), default="Test images").items():
        with tab, feedback.friendly():
            if tab.open:
                views[code].show(run)
