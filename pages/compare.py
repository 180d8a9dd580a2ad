"""Compare: runs side by side, and sweeps."""

import streamlit as st

from cxrcore import settings
from cxrcore.language import said, t
from cxrcore.ui import address, choose, compare_edit, compare_runs, compare_sweeps, entry, messages

entry.required()
st.title(t("Compare"))

compare_edit.undo()
codes = [said("Runs")] if settings.read_only() else [said("Runs"), said("Sweeps")]
tabs = address.tabs("show", codes, default="Runs")
with tabs["Runs"]:
    if tabs["Runs"].open:
        found = choose.listed()
        with messages.friendly():
            if found:
                compare_runs.show(found)
            compare_edit.trash()
            if not found:
                choose.no_run()
if "Sweeps" in tabs:
    with tabs["Sweeps"], messages.friendly():
        if tabs["Sweeps"].open:
            compare_sweeps.show()
