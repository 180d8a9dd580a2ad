"""Which version of a dataset is shown, what was edited, and the way back."""

import streamlit as st

from cxrcore.data import editing
from cxrcore.data.dataset import Dataset
from cxrcore.ui import messages


def bar(data: Dataset) -> None:
    """Show the version and the last edit with a button that undoes it; nothing for a dataset never edited."""
    if data.version == 1:
        return
    done = editing.history(data)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Version {data.version}**: {done[-1]}. Earlier runs keep what they saw.", width="content")
        if editing.can_undo(data) and st.button(
            "Undo the last edit", icon=":material/undo:", key=f"undo {data.version}"
        ):
            with messages.friendly():
                editing.undo(data.name, seen=data.version)
                st.rerun()
