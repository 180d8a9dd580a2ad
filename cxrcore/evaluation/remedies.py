"""What can be done against a shortcut: each cleaning of the images, and what it does to the audit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.evaluation import altered
from cxrcore.evaluation.altered import Progress, chance, measure
from cxrcore.evaluation.shortcut import MARGIN, WIDTHS
from cxrcore.features import alterations, extract, lung_masks, lungs
from cxrcore.language import said
from cxrcore.runs import Run

FILE = "remedies.json"


def compare(run: Run, progress: Progress | None = None) -> dict[str, Any]:
    """Return under `cleanings` for each of `alterations.CLEANINGS`, "" being none, how well the class can be told from
    the `full` image and from a `border` of the largest audited `width`, and the `source` (None where there is one).

    Each is `accuracy`, `ci95` and `n`, of the `n` images `of` all whose lungs are known. `best` is the cleaning that
    leaves least to the border; `needed` tells whether the border says clearly more than `chance`. Kept with the run.

    Raises:
        UserError: weights or images are gone.
    """
    settings.require_writable()
    progress = progress or (lambda stage, done, total: None)
    table, width = _with_lungs(run.table, progress), round(run.config["size"] * WIDTHS[-1])
    several = table["source"].nunique() > 1
    found: dict[str, Any] = {
        "n": len(table),
        "of": len(run.table),
        "width": width,
        "chance": chance(table["label"]),
        "cleanings": {},
    }
    for cleaning in alterations.CLEANINGS:
        full = altered.features(run, table, cleaning, progress)
        bordered = "+".join(filter(None, [cleaning, alterations.border(width)]))
        found["cleanings"][cleaning] = {
            "full": measure(full, table["label"], table),
            "border": measure(altered.features(run, table, bordered, progress), table["label"], table),
            "source": measure(full, table["source"], table) if several else None,
        }
    found["best"] = min(filter(None, alterations.CLEANINGS), key=lambda name: _border(found, name)["accuracy"])
    found["needed"] = _border(found, "")["ci95"][0] > found["chance"] + MARGIN
    run.write(FILE, found)
    return found


def _border(found: dict[str, Any], cleaning: str) -> dict[str, Any]:
    return dict(found["cleanings"][cleaning]["border"])


def _with_lungs(table: pd.DataFrame, progress: Progress) -> pd.DataFrame:
    """Return the images whose lungs are known, so that every cleaning is measured on the same ones.

    All, if that leaves too few patients of a class.
    """
    masks: list[np.ndarray | None] = []
    for pixels in extract.batches([Path(path) for path in table["path"]], lungs.SIZE):
        masks += lung_masks.of(table[len(masks) : len(masks) + len(pixels)], pixels)
        progress(said("lungs"), len(masks), len(table))
    rows = table[[mask is not None for mask in masks]]
    patients = rows.groupby("label")["patient"].nunique()
    return rows if len(patients) == table["label"].nunique() and patients.min() > 1 else table
