"""The pages and the way in to them."""

from typing import Any

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import t
from cxrcore.ui import locale

_FLAG = "came through the entry"


def navigation() -> Any:
    """Register the pages, without those that change something if nothing may; return the one that is asked for."""
    st.session_state[_FLAG] = True
    changing = [
        st.Page("pages/data.py", title=t("Data"), icon=":material/folder_open:"),
        st.Page("pages/train.py", title=t("Train"), icon=":material/model_training:"),
    ]
    return st.navigation(
        [
            st.Page("pages/home.py", title=t("Home"), icon=":material/home:", default=True),
            *([] if settings.read_only() else changing),
            st.Page("pages/results.py", title=t("Results"), icon=":material/analytics:"),
            st.Page("pages/explain.py", title=t("Explain"), icon=":material/visibility:"),
            st.Page("pages/compare.py", title=t("Compare"), icon=":material/compare_arrows:"),
        ]
    )


def large_type() -> None:
    """Show everything larger where the dashboard is read-only: it is looked at from the back of a room."""
    if settings.read_only():
        st.html("<style>html { font-size: 19px; }</style>")


def required() -> None:
    """Speak the visitor's language; send a visitor who did not come through `streamlit_app.py` there first, for its
    notice and navigation.

    Until a server has run it once, Streamlit takes `pages/` for its older kind of app and opens a link to a page
    without it, for example when a tab reloads after the server was restarted.
    """
    if _FLAG not in st.session_state:
        navigation()
        st.rerun()
    locale.again()
