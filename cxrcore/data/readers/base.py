"""What every reader returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.file_tree import FileTree
from cxrcore.i18n import N_
from cxrcore.messages import msg

# One row an image. `path` is absolute, or a name in an archive; `finding` is what the source calls it;
# `patient` is unique among all sources and "" when the source does not tell; `given_split` is the part
# that the source puts it into, "" if none; `left_out` is "" or `kind: detail`, for example `view: Axial`.
# `mark` changes with the image's file. `content` gives the bytes of an image that is not a file of its own on
# disk, else None.
TEXT = ["path", "finding", "patient", "source", "view", "sex", "age", "given_split", "left_out", "mark"]
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
FRONTAL = {"", "PA", "AP", "AP SUPINE", "AP ERECT", "FRONTAL"}


@dataclass(frozen=True)
class Reading:
    """The images found in one place, before any is opened."""

    layout: str
    origin: str
    rows: pd.DataFrame
    known: Mapping[str, str]
    citation: str = ""


def rows(records: list[dict]) -> pd.DataFrame:
    """Return records as a table with `TEXT` and `content`; what a record lacks is ""."""
    table = pd.DataFrame.from_records(records, columns=[*TEXT, "content"])
    table[TEXT] = table[TEXT].astype(object).fillna("").astype(str)
    table["content"] = table["content"].astype(object).where(table["content"].notna(), None)
    return table


def located(tree: FileTree, name: str) -> dict[str, Any]:
    """Return `path`, `mark`, `content` and `left_out` of a file that may not be there, as far as they are known."""
    file = tree.files.get(name)
    if file is None:
        return {"path": f"{tree.origin}/{name}", "left_out": N_("missing: the file is missing")}
    if file.path is not None:
        return {"path": str(file.path), "mark": file.mark}
    return {"path": f"{tree.name}/{name}", "mark": file.mark, "content": file.read}


def not_frontal(view: str) -> str:
    """Return why an image of this view is left out, "" for a frontal or unknown view."""
    return "" if view.upper() in FRONTAL else msg("view: {view} (not frontal)", view=view)
