"""The result of the shortcut audit, shown before any heatmap."""

import streamlit as st

from cxrcore.audits import shortcut
from cxrcore.i18n import t, translate
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Warn if the audit found a shortcut, or if it was not run."""
    found = shortcut.load(run)
    if found is None:
        st.caption(t("The shortcut audit was not run for this run. It is on the Results page, under Robustness."))
    elif found.is_shortcut:
        st.error(
            t(
                "**Shortcut found.** {sentence} Interpret every heatmap below with this in mind.",
                sentence=translate(found.sentence),
            ),
            icon=":material/warning:",
        )
