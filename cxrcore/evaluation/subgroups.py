"""The same metrics by source, sex, age and view: a mean can hide a group on which a model fails."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cxrcore.evaluation import metrics
from cxrcore.i18n import N_

COLUMNS = {"source": N_("source"), "sex": N_("sex"), "age": N_("age band"), "view": N_("view")}
FEW = 30
CAVEAT = N_(
    "Groups differ by chance, too: the more of them, the likelier one looks bad. Fewer than 30 images say nothing of a "
    "group. Where a class does not occur in a group it has no sensitivity there, and accuracy means something else."
)


def evaluate(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the metrics (see `metrics.evaluate`) by column and value, for columns with two known values or more.

    Images for which a column is not known are left out of it.
    """
    return {
        column: {value: metrics.evaluate(rows, classes) for value, rows in groups}
        for column in COLUMNS
        if column in table and len(groups := _groups(table, column)) > 1
    }


def _groups(table: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    known = table[~table[column].astype(str).isin(("", "unknown"))]
    return [(str(value), rows.reset_index(drop=True)) for value, rows in known.groupby(column, observed=True)]
