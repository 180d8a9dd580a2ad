"""The numbers behind a figure: a table with its download as CSV, for an expander below the figure."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from cxrcore.figures import formatting
from cxrcore.files import csv_text
from cxrcore.i18n import t
from cxrcore.metric import Metric

Row = Mapping[str, str | Metric | None]


def show(rows: Sequence[Row], file: str, share: bool = True) -> None:
    """Show rows by their titles, metrics with their intervals: in percent if each is a `share`, else as numbers.

    `file` is the name of the CSV file, in which every metric has a column for the value, the two ends of its 95 %
    interval (2.5 and 97.5 %) and n.
    """
    st.dataframe([{name: _text(value, share) for name, value in row.items()} for row in rows], hide_index=True)
    table = pd.DataFrame([_numbers(row) for row in rows])
    st.download_button(
        t("Table as CSV"), csv_text(table), file, "text/csv", icon=":material/download:", key=f"download {file}"
    )


def _text(value: str | Metric | None, share: bool) -> str:
    if isinstance(value, str):
        return value
    return formatting.with_interval(value) if share else formatting.number(value, 2)


def _numbers(row: Row) -> dict[str, str | float | None]:
    found: dict[str, str | float | None] = {}
    for name, value in row.items():
        if isinstance(value, str):
            found[name] = value
            continue
        metric = value or Metric(None)
        found |= {name: metric.value, f"{name} (2.5%)": metric.low, f"{name} (97.5%)": metric.high}
        found[f"{name} (n)"] = metric.n
    return found
