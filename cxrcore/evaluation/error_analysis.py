"""Images to review: the errors, and the correct ones with a low margin; and notes on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from cxrcore import settings
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.runs import Run
from cxrcore.schema import Stored

LOW_MARGIN_IMAGES = 10
_FILE = "notes.json"


class Notes(Stored):
    """`notes.json`: notes on a run's images by their SHA-256."""

    notes: dict[str, str]

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 1 had the notes at the top."""
        return {"notes": values}


def errors_by_confidence(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the wrong rows of a prediction table, highest `confidence` (0 to 1) first, with `margin`."""
    rows = _with_margin(table, classes)
    return rows[~rows["correct"]].sort_values("confidence", ascending=False, kind="stable")


def low_margin(table: pd.DataFrame, classes: Sequence[str], most: int = LOW_MARGIN_IMAGES) -> pd.DataFrame:
    """Return the `most` correct rows with the lowest `margin`, the highest probability minus the second highest."""
    rows = _with_margin(table, classes)
    return rows[rows["correct"]].sort_values("margin", kind="stable").head(most)


def read_notes(run: Run) -> dict[str, str]:
    """Return the notes on a run's images by their SHA-256.

    Raises:
        DamagedFileError: the file is damaged.
    """
    kept = Notes.read_if_present(run.folder / _FILE)
    return dict(kept.notes) if kept else {}


def write_note(run: Run, sha256: str, text: str) -> None:
    """Save a note on an image, or remove it if `text` is empty. Notes that others save meanwhile are kept."""
    settings.require_writable()
    with FileLock(run.folder / ".notes.lock", timeout=20):
        notes = read_notes(run) | {sha256: text.strip()}
        Notes(notes={key: value for key, value in notes.items() if value}).write(run.folder / _FILE)


def _with_margin(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    descending = -np.sort(-table[probability_columns(classes)].to_numpy(float), axis=1)
    return table.assign(confidence=descending[:, 0], margin=descending[:, 0] - descending[:, 1])
