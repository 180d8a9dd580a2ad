"""Images of a dataset in a grid that opens each of them in a dialog, with what the last audit found about it."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from cxrcore.audits.dataset import audit
from cxrcore.audits.dataset.audit import DatasetAudit
from cxrcore.data import classes, exclusions
from cxrcore.data.dataset import Dataset
from cxrcore.data.errors import ImageError
from cxrcore.errors import UserError
from cxrcore.figures import outlines
from cxrcore.i18n import t
from cxrcore.ui import feedback, gallery, sample_view


def last_audit(data: Dataset) -> DatasetAudit | None:
    """Return the last audit of the dataset, None if there is none; a damaged file is shown as a warning."""
    try:
        return audit.load(data)
    except UserError as error:
        st.warning(feedback.error_text(error.message) + " " + t("Run the audit again."), icon=":material/warning:")
        return None


def grid(data: Dataset, rows: Sequence[int], key: str) -> None:
    """Show images by their rows, with class and file name; `key` is that of the grid, and its parameter in the URL."""
    cards = [
        gallery.Card(path, label, classes.label(label) or t("no class"), (Path(path).name,))
        for path, label in data.table.loc[list(rows), ["path", "label"]].itertuples(index=False)
    ]
    sample_view.grid(cards, data.classes, key, rows, rows, lambda row: sample(data, row), name=key)


def sample(data: Dataset, number: int) -> sample_view.Sample:
    """Return what the dialog shows of row `number` of a dataset."""
    row = data.table.loc[number]
    path, problem = str(row["path"]), None
    if not row["sha256"]:
        reason = exclusions.reason(row["left_out_reason"])
        path, problem = "", ImageError("Not shown, as the import did not accept it: {reason}", reason=reason)
    known = sample_view.properties(row)
    if copies := _duplicates(data, number):
        known[t("duplicates")] = copies
    masks = outlines.Masks(row["lungs"], row["lesions"])
    return sample_view.Sample(path, row["label"], row["sha256"], masks, known, problem=problem)


def _duplicates(data: Dataset, number: int) -> str:
    """Return the names of the files that the audit found to be copies of an image, "" for none."""
    found = last_audit(data)
    groups = [group for issue in (found.issues if found else []) for group in issue.groups if number in group]
    rows = dict.fromkeys(row for group in groups for row in group if row != number and row in data.table.index)
    return ", ".join(Path(data.table.at[row, "path"]).name for row in rows)
