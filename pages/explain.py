"""Explain: where a run looks, whether that can be believed, and what it makes of any uploaded image."""

import streamlit as st

from cxrcore.i18n import said, t
from cxrcore.ui import entry, messages, query_params, selection
from cxrcore.ui.explain import comparison, faithfulness, mean_heatmap, shortcut_warning, test_images, upload

entry.required()
st.title(t("Explain"))

run = selection.choose_run()
if run is None:
    selection.no_run()
else:
    shortcut_warning.show(run)
    views = {
        said("Test images"): test_images,
        said("Upload"): upload,
        said("Compare"): comparison,
        said("On average"): mean_heatmap,
        said("To be believed?"): faithfulness,
    }
    for code, tab in query_params.tabs("show", list(views), default="Test images").items():
        with tab, messages.friendly():
            if tab.open:
                views[code].show(run)
