"""Explain: where a run looks, whether that can be believed, and what it makes of any uploaded image."""

import streamlit as st

from cxrcore.language import said, t
from cxrcore.ui import (
    address,
    choose,
    entry,
    explain_average,
    explain_compare,
    explain_test,
    explain_upload,
    explain_warning,
    faithfulness_view,
    messages,
)

entry.required()
st.title(t("Explain"))

run = choose.choose_run()
if run is None:
    choose.no_run()
else:
    explain_warning.show(run)
    views = {
        said("Test images"): explain_test,
        said("Upload"): explain_upload,
        said("Compare"): explain_compare,
        said("On average"): explain_average,
        said("To be believed?"): faithfulness_view,
    }
    for code, tab in address.tabs("show", list(views), default="Test images").items():
        with tab, messages.friendly():
            if tab.open:
                views[code].show(run)
