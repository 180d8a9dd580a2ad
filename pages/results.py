"""Results: how often a run is right, how sure that is, and every test image."""

import streamlit as st

from cxrcore.language import t
from cxrcore.ui import choose, entry, messages, results_view

entry.required()
st.title(t("Results"))

run = choose.choose_run()
if run is None:
    choose.no_run()
else:
    with messages.friendly():
        results_view.show(run)
