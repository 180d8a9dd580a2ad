"""The version of a dataset, its last edit, and the button that undoes it."""

import streamlit as st

from cxrcore.data import editing
from cxrcore.data.dataset import Dataset
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback


def show(data: Dataset) -> None:
    """Show the version and the last edit with an undo button; nothing for a dataset that was never edited."""
    if data.version == 1:
        return
    last = editing.history(data)[-1]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            t(
                "**Version {version}**: {edit}. Earlier runs keep their version.",
                version=data.version,
                edit=feedback.plain_text(translate(last)),
            ),
            width="content",
        )
        if editing.can_undo(data) and st.button(
            t("Undo the last edit"), icon=":material/undo:", key=f"undo {data.version}"
        ):
            with feedback.friendly():
                editing.undo(data.name, seen=data.version)
                st.rerun()
