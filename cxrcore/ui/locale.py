"""The language of a visitor: that of the URL, else the one chosen before, else the browser's."""

import streamlit as st

from cxrcore import i18n

_LANGUAGE = "language of this visitor"


def choose() -> None:
    """Show the language switch in the sidebar and use its language from here on.

    The URL names the language when it is not the browser's, so that a link opens in the same language.
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
    st.session_state[_LANGUAGE] = code or st.session_state.get(_LANGUAGE, start)
    if given or st.session_state[_LANGUAGE] != browser:
        st.query_params["lang"] = st.session_state[_LANGUAGE]
    use_chosen()


def use_chosen() -> None:
    """Use the chosen language in this thread."""
    i18n.use(st.session_state.get(_LANGUAGE, "en"))
