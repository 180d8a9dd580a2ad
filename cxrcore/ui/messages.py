"""How the dashboard talks: errors that say what to do, empty states that name the next step."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cxrcore.data.images import ImageError
from cxrcore.errors import UserError

NOTICE = "For research and teaching, not for clinical use."


@contextmanager
def friendly() -> Iterator[None]:
    """Show what a user can act on as a message instead of a traceback."""
    try:
        yield
    except (UserError, ImageError) as error:
        st.error(str(error), icon=":material/error:")
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


def numbers(values: dict[str, str | int]) -> None:
    """Show numbers side by side under their names; a narrow window wraps them."""
    row = st.container(horizontal=True, gap="large")
    for name, value in values.items():
        row.metric(name, value, width="content")


def percent(metric: dict) -> str:
    """Return a metric's value, for example `97.3 %`; a dash where nothing defines it."""
    return "–" if metric["value"] is None else f"{100 * metric['value']:.1f} %"


def interval(metric: dict) -> str:
    """Return the 95 % interval, for example `90.8 to 99.3 %`."""
    low, high = metric["ci95"]
    return "–" if metric["value"] is None or low is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def with_interval(metric: dict) -> str:
    """Return a metric as shares, for example `97.3 % (90.8 to 99.3 %)`."""
    known = metric["value"] is not None and metric["ci95"][0] is not None
    return f"{percent(metric)} ({interval(metric)})" if known else percent(metric)


def plain(metric: dict) -> str:
    """Return a metric as numbers, for example `0.950 (0.902 to 0.981)`."""
    if metric["value"] is None:
        return "–"
    low, high = metric["ci95"]
    return f"{metric['value']:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None else "")
