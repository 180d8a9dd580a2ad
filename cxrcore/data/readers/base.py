"""The result of every reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxrcore.data import exclusions
from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.file_tree import FileTree
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg

# Columns of the rows, "" where not known. `path` is absolute, or a name in an archive; `finding` is the source's word
# for what is seen; `patient` is unique among all sources; `given_split` is the part that the source gives; `left_out`
# and `left_out_reason` as in a dataset (see `exclusions`); `mark` changes with the image's file. The column `content`
# holds a function that returns the bytes of an image that is not a file on disk, else None.
NO_CITATION = Message(id="")
TEXT = [
    "path",
    "finding",
    "patient",
    "source",
    "view",
    "sex",
    "age",
    "given_split",
    "left_out",
    "left_out_reason",
    "mark",
]
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
FRONTAL = {"", "PA", "AP", "AP SUPINE", "AP ERECT", "FRONTAL"}
# Code of a layout, as kept in `Source.layout` -> its text.
LAYOUTS = {
    "phantom": N_("Synthetic X-rays"),
    "class folders": N_("Class folders"),
    "arrays": N_("NumPy arrays"),
    "CSV": N_("CSV"),
    "covid-chestxray-dataset": N_("COVID-19 image data collection"),
}


@dataclass(frozen=True)
class Reading:
    """The images listed in one place, before any is opened.

    `layout`: a code of `LAYOUTS`; `origin`: the place to show to users; `known`: class by finding.
    """

    layout: str
    origin: str
    rows: pd.DataFrame
    known: Mapping[str, str]
    citation: Message = NO_CITATION


def rows(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Return records as a table with `TEXT` and `content`; absent values are ""."""
    table = pd.DataFrame.from_records(records, columns=[*TEXT, "content"])
    table[TEXT] = table[TEXT].astype(object).fillna("").astype(str)
    table["content"] = table["content"].astype(object).where(table["content"].notna(), None)
    return table


def located(tree: FileTree, name: str) -> dict[str, Any]:
    """Return `path`, `mark`, `content` and why it is left out of a file that may be missing, as far as known."""
    file = tree.files.get(name)
    if file is None:
        missing = exclusions.columns("missing", msg("the file is missing"))
        return {"path": f"{tree.origin}/{name}"} | missing
    if file.path is not None:
        return {"path": str(file.path), "mark": file.mark}
    return {"path": f"{tree.name}/{name}", "mark": file.mark, "content": file.read}


def not_frontal(view: str) -> Message | None:
    """Return why an image of this view is left out, None for a frontal or unknown view."""
    return None if view.upper() in FRONTAL else msg("{view} (not frontal)", view=view)


def view_columns(view: str) -> dict[str, str]:
    """Return the columns that leave out a view that is not frontal, none for a frontal or unknown view."""
    reason = not_frontal(view)
    return exclusions.columns("view", reason) if reason else {}
