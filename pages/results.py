"""Results: how often a run is right, how sure that is, and every test image."""

import streamlit as st

from cxrcore.ui import choose, entry, messages, results_view

entry.required()
st.title("Results")

run = choose.choose_run()
if run is None:
    messages.empty("There is no finished run yet.", "Train a model", "pages/train.py")
else:
    with messages.friendly():
        results_view.show(run)
