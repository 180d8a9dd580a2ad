"""The images a person should look at: the wrong ones, and the right ones nearest to the boundary; with notes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from filelock import FileLock

from cxrcore import settings
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.files import read_json
from cxrcore.runs import Run

NEAREST = 10
_FILE = "notes.json"


def wrong(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the wrong rows of a prediction table, the surest first, with `confidence` (0 to 1) and `margin`."""
    found = _with_margin(table, classes)
    return found[~found["correct"]].sort_values("confidence", ascending=False, kind="stable")


def nearest(table: pd.DataFrame, classes: Sequence[str], most: int = NEAREST) -> pd.DataFrame:
    """Return the right rows with the smallest `margin`, the probability of the answer minus that of the next class."""
    found = _with_margin(table, classes)
    return found[found["correct"]].sort_values("margin", kind="stable").head(most)


def notes(run: Run) -> dict[str, str]:
    """Return the notes on a run's images by their SHA-256."""
    path = run.folder / _FILE
    return read_json(path) if path.is_file() else {}


def write_note(run: Run, sha256: str, text: str) -> None:
    """Keep a note with the run; an empty one takes it away. Notes of another tab on other images stay."""
    settings.require_writable()
    with FileLock(run.folder / ".notes.lock", timeout=20):
        kept = notes(run) | {sha256: text.strip()}
        run.write(_FILE, {key: value for key, value in kept.items() if value})


def _with_margin(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    best = -np.sort(-table[probability_columns(classes)].to_numpy(float), axis=1)
    return table.assign(confidence=best[:, 0], margin=best[:, 0] - best[:, 1])
