"""The pages and the way in to them."""

from typing import Any

import streamlit as st

_FLAG = "came through the entry"


def navigation() -> Any:
    """Register the pages and return the one that is asked for."""
    st.session_state[_FLAG] = True
    return st.navigation(
        [
            st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
            st.Page("pages/data.py", title="Data", icon=":material/folder_open:"),
            st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/results.py", title="Results", icon=":material/analytics:"),
            st.Page("pages/explain.py", title="Explain", icon=":material/visibility:"),
        ]
    )


def required() -> None:
    """Send a visitor through `streamlit_app.py`, with its notice and navigation, if that has not happened.

    Until a server has run it once, Streamlit takes `pages/` for its older kind of app and opens a link to a page
    without it, for example when a tab reloads after the server was restarted.
    """
    if _FLAG not in st.session_state:
        navigation()
        st.rerun()
