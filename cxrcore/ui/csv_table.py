"""A table behind a figure: closed at first, with a download."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pandas as pd
import streamlit as st

from cxrcore.files import csv_text
from cxrcore.i18n import t

_MOST = 1000  # rows that are sent to the browser
Rows: TypeAlias = pd.DataFrame | Sequence[Mapping[str, object]]


def show(rows: Rows, file_name: str, label: str = "", saved: Rows | None = None) -> None:
    """Show a table in a closed expander with `label`; see `content`."""
    with st.expander(label or t("Table"), icon=":material/table:"):
        content(rows, file_name, saved)


def content(rows: Rows, file_name: str, saved: Rows | None = None) -> None:
    """Show the first rows of a table without its index, and a button that saves all, or `saved` in their place, as
    `file_name`; no text in the file is a formula.
    """
    st.dataframe(rows[:_MOST], hide_index=True)
    if len(rows) > _MOST:
        st.caption(t("The first {most:,} of {n:,}; the file has all.", most=_MOST, n=len(rows)))
    table = pd.DataFrame(rows if saved is None else saved)
    label, icon = t("Table as CSV"), ":material/download:"
    st.download_button(label, lambda: csv_text(table), file_name, "text/csv", key=file_name, icon=icon)
