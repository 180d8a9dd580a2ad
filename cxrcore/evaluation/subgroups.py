"""Metrics by source, sex, age and view: an average can hide a group on which a model fails."""

from collections.abc import Sequence

import pandas as pd

from cxrcore.evaluation import metrics
from cxrcore.i18n import N_
from cxrcore.metric import ClassificationMetrics

COLUMNS = {"source": N_("source"), "sex": N_("sex"), "age": N_("age band"), "view": N_("view")}
FEW = 30
CAVEAT = N_(
    "Groups also differ by chance: the more groups there are, the likelier it is that one looks bad. Results on fewer "
    "than 30 images are not reliable. A class that does not occur in a group has no sensitivity there, and accuracy "
    "cannot be compared between groups with different classes."
)


def evaluate(
    table: pd.DataFrame, classes: Sequence[str], by_patient: bool = False
) -> dict[str, dict[str, ClassificationMetrics]]:
    """Return the metrics (see `metrics.evaluate`) by column and value, for columns with at least two known values.

    Images without a known value of a column are left out of it.
    """
    return {
        column: {value: metrics.evaluate(rows, classes, by_patient) for value, rows in groups}
        for column in COLUMNS
        if column in table and len(groups := _groups(table, column)) > 1
    }


def source_numbers(*columns: "pd.Series[str]") -> dict[str, str]:
    """Return what sources are called in exports: numbers, as their names are those of folders or files."""
    known = sorted({name for column in columns for name in column.unique()} - {""})
    return {"": ""} | {name: str(number) for number, name in enumerate(known, 1)}


def _groups(table: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    known = table[~table[column].astype(str).isin(("", "unknown"))]
    return [(str(value), rows.reset_index(drop=True)) for value, rows in known.groupby(column, observed=True)]
