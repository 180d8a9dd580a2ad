"""What the shortcut audit says, before any heatmap is looked at."""

import streamlit as st

from cxrcore.i18n import t, translate
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Say aloud that a run's images offer a shortcut, or that nobody looked."""
    found = run.shortcut
    if found and found["verdict"] == "shortcut":
        st.error(
            t(
                "**These images offer a shortcut.** {sentence} Read every map below with that in mind.",
                sentence=translate(found["sentence"]),
            ),
            icon=":material/warning:",
        )
    elif not found:
        st.caption(
            t("Whether this run cheats was not looked into: the shortcut audit is on the page Results, under Honesty.")
        )
