"""What every reader returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.tree import Tree

# One row an image. `path` is absolute, or a name in an archive; `finding` is what the source calls it;
# `patient` is unique within the source and "" when the source does not tell; `given_split` is the part
# that the source puts it into, "" if none; `left_out` is "" or `kind: detail`, for example `view: Axial`.
# `content` gives the bytes of an image that is not a file of its own on disk, else None.
TEXT = ["path", "finding", "patient", "source", "view", "sex", "age", "given_split", "left_out"]
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
    return table


def located(tree: Tree, name: str) -> dict[str, Any]:
    """Return `path`, `content` and `left_out` of a file that may not be there."""
    file = tree.files.get(name)
    if file is None:
        return {"path": f"{tree.origin}/{name}", "content": None, "left_out": "missing: the file is missing"}
    if isinstance(file, Path):
        return {"path": str(file), "content": None, "left_out": ""}
    return {"path": f"{tree.name}/{name}", "content": file, "left_out": ""}


def not_frontal(view: str) -> str:
    """Return why an image of this view is left out, "" for a frontal or unknown view."""
    return "" if view.upper() in FRONTAL else f"view: {view} (not frontal)"
