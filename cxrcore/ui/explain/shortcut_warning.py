"""The result of the shortcut audit, shown beside the heatmaps."""

import streamlit as st

from cxrcore.audits import shortcut
from cxrcore.i18n import t, translate
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Warn if the audit found a shortcut."""
    found = shortcut.load(run)
    if found and found.is_shortcut:
        st.error(
            t(
                "**Shortcut found.** {sentence} Interpret every heatmap with this in mind.",
                sentence=translate(found.sentence),
            ),
            icon=":material/warning:",
        )


def show_missing(run: Run) -> None:
    """Say so if the audit was not run."""
    if shortcut.load(run) is None:
        st.caption(t("The shortcut audit was not run for this run. It is on the Results page, under Robustness."))
