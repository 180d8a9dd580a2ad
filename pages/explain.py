"""Explain: where a run looks, on its test images and on any uploaded one."""

import streamlit as st

from cxrcore.ui import choose, entry, explain_test, explain_upload, messages

entry.required()
st.title("Explain")

run = choose.choose_run()
if run is None:
    messages.empty("There is no finished run yet.", "Train a model", "pages/train.py")
else:
    source = st.segmented_control(
        "Images",
        ["Test images", "Upload"],
        default="Test images",
        required=True,
        label_visibility="collapsed",
    )
    with messages.friendly():
        (explain_test if source == "Test images" else explain_upload).show(run)
