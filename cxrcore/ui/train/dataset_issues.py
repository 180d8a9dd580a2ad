"""Before training: what the check of the dataset found, or that it was not checked."""

import streamlit as st

from cxrcore.audits.dataset import audit
from cxrcore.audits.dataset.issues import CONFOUND, LEAK
from cxrcore.data import dataset
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback


def show(name: str) -> None:
    """Show the gravest finding on the dataset with a link to all, or a link to the check."""
    data = dataset.load(name)
    report = audit.last(data)
    query = {"dataset": name, "view": "Check"}
    if report is None or report["version"] != data.version:
        st.page_link(
            "pages/data.py", label=t("First check the dataset for what misleads a model"), icon=":material/fact_check:",
            query_params=query,
        )  # fmt: skip
        return
    grave = [finding for finding in report["findings"] if finding["kind"] in (CONFOUND, LEAK)]
    if grave:
        more = " " + t("And {more} more.", more=len(grave) - 1) if len(grave) > 1 else ""
        st.warning(feedback.plain_text(translate(grave[0]["sentence"])) + more, icon=":material/error:")
        st.page_link("pages/data.py", label=t("What the check found"), icon=":material/fact_check:", query_params=query)
