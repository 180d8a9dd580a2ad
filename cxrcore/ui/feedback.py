"""How the dashboard talks: errors that say what to do, empty states that name the next step."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cxrcore.data.images import ImageError
from cxrcore.errors import UserError
from cxrcore.i18n import N_, translate

NOTICE = N_("For research and teaching, not for clinical use.")


@contextmanager
def friendly() -> Iterator[None]:
    """Show what a user can act on as a message instead of a traceback."""
    try:
        yield
    except (UserError, ImageError) as error:
        st.error(plain_text(translate(str(error))), icon=":material/error:")
    except OSError as error:
        st.error(f"{error.strerror or error}: {error.filename or ''}", icon=":material/error:")


def empty(text: str, label: str, page: str) -> None:
    """Say that there is nothing to show yet and offer the next step; ends the page."""
    st.info(text, icon=":material/info:")
    if st.button(label, type="primary"):
        st.switch_page(page)
    st.stop()


def duration(seconds: float) -> str:
    """Return a rounded time, for example `40 s`, `3 min` or `1 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def plain_text(text: str) -> str:
    """Return text from data so that Markdown in it stays text: a link or an image in it would leave this machine."""
    return re.sub(r"([\\*\[\]<>|~$])", r"\\\1", text)


def numbers(values: dict[str, str | int]) -> None:
    """Show numbers side by side under their names; a narrow window wraps them."""
    row = st.container(horizontal=True, gap="large")
    for name, value in values.items():
        row.metric(name, value, width="content")
