"""Which version of a dataset is shown, what was edited, and the way back."""

import streamlit as st

from cxrcore.data import editing
from cxrcore.data.dataset import Dataset
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback


def bar(data: Dataset) -> None:
    """Show the version and the last edit with a button that undoes it; nothing for a dataset never edited."""
    if data.version == 1:
        return
    done = editing.history(data)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            t(
                "**Version {version}**: {done}. Earlier runs keep what they saw.",
                version=data.version,
                done=translate(done[-1]),
            ),
            width="content",
        )
        if editing.can_undo(data) and st.button(
            t("Undo the last edit"), icon=":material/undo:", key=f"undo {data.version}"
        ):
            with feedback.friendly():
                editing.undo(data.name, seen=data.version)
                st.rerun()
