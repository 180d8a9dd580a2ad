"""The language a visitor reads: what the URL says, else what was chosen before, else the browser's."""

import streamlit as st

from cxrcore import i18n

_SPEAKS = "speaks"


def choose() -> None:
    """Show the switch in the sidebar and speak its language from here on; the URL says it when it is not the
    browser's, so that a link shows the same.
    """
    browser = "pt" if (st.context.locale or "").lower().startswith("pt") else "en"
    given = st.query_params.get("lang", "")
    start = st.session_state.setdefault("first language", given if given in i18n.LANGUAGES else browser)
    code = st.sidebar.segmented_control(
        "Language · Idioma",
        list(i18n.LANGUAGES),
        default=start,
        format_func=i18n.LANGUAGES.__getitem__,
        key="language",
        required=True,
    )
    st.session_state[_SPEAKS] = code or st.session_state.get(_SPEAKS, start)
    if given or st.session_state[_SPEAKS] != browser:
        st.query_params["lang"] = st.session_state[_SPEAKS]
    again()


def again() -> None:
    """Speak the chosen language in this thread."""
    i18n.use(st.session_state.get(_SPEAKS, "en"))
