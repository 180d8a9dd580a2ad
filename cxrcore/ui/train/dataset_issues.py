"""Issues of the chosen dataset before training: the first severe one, or a link to the audit."""

import streamlit as st

from cxrcore.audits.dataset.issues import SEVERE
from cxrcore.data import dataset
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback
from cxrcore.ui.data.samples import last_audit


def show(name: str) -> None:
    """Show the first severe issue of the dataset with a link to all, or a link to the audit."""
    data = dataset.load(name)
    found = last_audit(data)
    if found is None or found.version != data.version:
        _link(name, t("Audit the dataset first"))
        return
    severe = [issue for issue in found.issues if issue.kind in SEVERE]
    if severe:
        more = " " + t("And {more} more.", more=len(severe) - 1) if len(severe) > 1 else ""
        st.warning(feedback.plain_text(translate(severe[0].sentence)) + more, icon=":material/error:")
        _link(name, t("Issues of this dataset"))


def _link(name: str, label: str) -> None:
    query = {"dataset": name, "view": "Audit"}
    st.page_link("pages/data.py", label=label, icon=":material/fact_check:", query_params=query)
