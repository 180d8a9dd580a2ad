"""Explain: where a run looks, on its test images and on any uploaded one."""

import streamlit as st

from cxrcore.language import t
from cxrcore.ui import choose, entry, explain_test, explain_upload, messages

entry.required()
st.title(t("Explain"))

run = choose.choose_run()
if run is None:
    choose.no_run()
else:
    source = st.segmented_control(
        t("Images"),
        [t("Test images"), t("Upload")],
        default=t("Test images"),
        required=True,
        label_visibility="collapsed",
    )
    with messages.friendly():
        (explain_test if source == t("Test images") else explain_upload).show(run)
