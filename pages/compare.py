"""Compare: runs side by side, and sweeps."""

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import N_, t
from cxrcore.ui import entry, feedback, query_params
from cxrcore.ui.compare import edit, runs, sweeps

entry.required()
st.title(t("Compare"))
st.caption(t("Runs side by side, and sweeps of settings."))

edit.undo()
views = {N_("Runs"): runs.show_all, N_("Sweeps"): sweeps.show}
codes = ["Runs"] if settings.read_only() else list(views)
for code, tab in query_params.tabs("show", codes, default="Runs").items():
    with tab, feedback.friendly():
        if tab.open:
            views[code]()
