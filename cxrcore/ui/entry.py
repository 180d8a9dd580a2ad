"""The navigation, the style of all pages, and the redirection of visitors who open a page directly."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from cxrcore import access, settings
from cxrcore.access import Role
from cxrcore.i18n import t
from cxrcore.ui import feedback, locale, turns
from cxrcore.ui.visitor import sign_in

FAVICON = Path(__file__).parent / "favicon.png"
_FLAG = "came through the entry"
_LARGE = "html { font-size: 19px; }"  # read-only dashboards are shown to an audience
# Streamlit writes the chosen segment in the primary colour on a tint of it (4.3:1), and white on the primary colour,
# which is bright in the dark theme (3.4:1). WCAG AA asks for 4.5:1.
_CONTRAST = """
[data-testid="stButtonGroup"] [data-selected]:not([data-disabled]) { color: inherit !important; }
@media (prefers-color-scheme: dark) {
    [data-testid^="stBaseButton-primary"]:enabled, [data-testid="stMultiSelectTagsContainer"] [data-tag] {
        color: BACKGROUND !important;
    }
}
"""
# Streamlit's button on every table; a cell in its file may be a formula. Files from `csv_table` and Export mark them.
_NO_DOWNLOAD = '[data-testid="stElementToolbarButton"]:has([aria-label="Download as CSV"]) { display: none; }'


def navigation() -> StreamlitPage:
    """Register the pages, without those that change something if the visitor may not; return the current one.

    A visitor without a role sees the page for signing in, whatever the link names.
    """
    st.session_state[_FLAG] = True
    changing = [
        st.Page("pages/data.py", title=t("Data"), icon=":material/folder_open:"),
        st.Page("pages/train.py", title=t("Train"), icon=":material/model_training:"),
    ]
    status = st.Page("pages/status.py", title=t("Status"), icon=":material/monitor_heart:")
    return st.navigation(
        [
            st.Page("pages/home.py", title=t("Home"), icon=":material/home:", default=True),
            *([] if settings.read_only() else changing),
            st.Page("pages/results.py", title=t("Results"), icon=":material/analytics:"),
            st.Page("pages/explain.py", title=t("Explain"), icon=":material/visibility:"),
            st.Page("pages/compare.py", title=t("Compare"), icon=":material/compare_arrows:"),
            *([] if settings.read_only() else [status]),
        ],
        position="hidden" if access.current() is Role.NOBODY else "sidebar",
    )


def show(page: StreamlitPage) -> None:
    """Run a page, or for a visitor without a role the one for signing in."""
    if access.current() is Role.NOBODY:
        sign_in.page()
        return
    sign_in.show_account()
    with turns.PAGES.turn(), feedback.friendly():
        page.run()


def style() -> None:
    """Raise the contrast of Streamlit's own widgets, hide its download of tables; show everything larger where the
    dashboard is read-only.
    """
    contrast = _CONTRAST.replace("BACKGROUND", str(st.get_option("theme.dark.backgroundColor")))
    st.html(f"<style>{contrast}{_NO_DOWNLOAD}{_LARGE if settings.read_only() else ''}</style>")


def required() -> None:
    """Use the visitor's language; send a visitor who did not come through `streamlit_app.py` there first.

    Until a server has run the entry once, Streamlit takes `pages/` for its older kind of app and opens a link to a page
    without it, for example when a tab reloads after a restart of the server.
    """
    if _FLAG not in st.session_state or access.current() is Role.NOBODY:
        navigation()
        st.rerun()
    locale.use_chosen()
