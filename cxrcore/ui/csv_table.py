"""A table behind a figure: closed at first, with a download."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pandas as pd
import streamlit as st

from cxrcore.files import csv_text
from cxrcore.i18n import t

Rows: TypeAlias = pd.DataFrame | Sequence[Mapping[str, object]]


def show(rows: Rows, file_name: str, label: str = "") -> None:
    """Show a table in a closed expander with `label`; see `content`."""
    with st.expander(label or t("Table"), icon=":material/table:"):
        content(rows, file_name)


def content(rows: Rows, file_name: str, saved: Rows | None = None) -> None:
    """Show a table without its index, and a button that saves it, or `saved` in its place, as `file_name`; no text in
    the file is a formula.
    """
    st.dataframe(rows, hide_index=True)
    table = pd.DataFrame(rows if saved is None else saved)
    label, icon = t("Table as CSV"), ":material/download:"
    st.download_button(label, lambda: csv_text(table), file_name, "text/csv", key=file_name, icon=icon)
