"""What every reader returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

# One row an image. `path` is absolute; `finding` is what the source calls it; `patient` is unique within
# the source and "" when the source does not tell; `left_out` is "" or `kind: detail`, for example
# `view: Axial`; `content` is a function that
# gives the bytes of an image that is not a file of its own, else None.
COLUMNS = ["path", "finding", "patient", "source", "view", "left_out", "content"]


@dataclass(frozen=True)
class Reading:
    """The images found in one place, before any is opened."""

    layout: str
    root: Path
    rows: pd.DataFrame
    known: Mapping[str, str]
    citation: str = ""
    notes: list[str] = field(default_factory=list)


def rows(records: list[dict]) -> pd.DataFrame:
    """Return records as a table with all of `COLUMNS`; what a record lacks is ""."""
    table = pd.DataFrame.from_records(records, columns=COLUMNS)
    text = [name for name in COLUMNS if name != "content"]
    table[text] = table[text].astype(object).fillna("").astype(str)
    return table
