"""Compare: runs side by side, and sweeps."""

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import N_, t
from cxrcore.ui import entry, feedback, query_params, selection
from cxrcore.ui.compare import edit, runs, sweeps

entry.required()
st.title(t("Compare"))

edit.undo()
codes = [N_("Runs")] if settings.read_only() else [N_("Runs"), N_("Sweeps")]
tabs = query_params.tabs("show", codes, default="Runs")
with tabs["Runs"]:
    if tabs["Runs"].open:
        found = selection.listed()
        with feedback.friendly():
            if found:
                runs.show(found)
            edit.trash()
            if not found:
                selection.no_run()
if "Sweeps" in tabs:
    with tabs["Sweeps"], feedback.friendly():
        if tabs["Sweeps"].open:
            sweeps.show()
