"""What can be done against a shortcut: each cleaning of the images, and what it does to the audit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.audits import masked_probe
from cxrcore.audits.masked_probe import Progress
from cxrcore.audits.shortcut import WIDTHS, both, enough_known, small_border
from cxrcore.evaluation.linear_probe import measure
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.i18n import N_
from cxrcore.runs import Run

FILE = "remedies.json"


def compare(run: Run, progress: Progress | None = None) -> dict[str, Any]:
    """Return under `cleanings` for each of `alterations.CLEANINGS`, "" being none, how well the class can be told from
    the `full` image, from a `border` of the largest audited `width` by the run's backbone and by plain pixels
    (`border_pixels`), and the `source` (None where there is one). The border is that of the image before the cleaning.

    Each is `accuracy`, `ci95` and `n`, of the `n` images `of` all whose lungs the segmenter finds, as a training would.
    Where these are too few, cleanings that need lungs are left out and all images are taken. `best` is the cleaning
    that leaves least to the border. It is kept with the run.

    Raises:
        UserError: weights or images are gone.
    """
    settings.require_writable()
    progress = progress or (lambda stage, done, total: None)
    whole, size = run.table, run.config["size"]
    width = round(size * WIDTHS[-1])
    known, pixels = _look(whole, size, width, progress)
    enough = enough_known(whole, known)
    chosen = known if enough else np.ones(len(whole), bool)
    table = whole[chosen]
    several = table["source"].nunique() > 1
    found: dict[str, Any] = {"n": len(table), "of": len(whole), "width": width, "cleanings": {}}
    for cleaning in image_transforms.CLEANINGS:
        if image_transforms.needs_lungs(cleaning) and not enough:
            continue
        full = masked_probe.features(run, table, cleaning, progress)
        border = masked_probe.features(run, table, both(image_transforms.border(width), cleaning), progress)
        found["cleanings"][cleaning] = {
            "full": measure(full, table["label"], table),
            "border": measure(border, table["label"], table),
            "border_pixels": measure(pixels[cleaning][chosen], table["label"], table),
            "source": measure(full, table["source"], table) if several else None,
        }
    rows = found["cleanings"]
    found["best"] = min(filter(None, rows), key=lambda name: told(rows[name])["accuracy"])
    run.write(FILE, found)
    return found


def told(row: dict[str, Any]) -> dict[str, Any]:
    """Return the better of the two ways to tell the class from the border."""
    return dict(max(row["border"], row["border_pixels"], key=lambda part: part["accuracy"]))


def _look(table: pd.DataFrame, size: int, width: int, progress: Progress) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return whether the lungs are found, boolean (n,), and the small borders by cleaning, from one reading."""
    known: list[bool] = []
    rows: dict[str, list[np.ndarray]] = {cleaning: [] for cleaning in image_transforms.CLEANINGS}
    for pixels in extract.batches([Path(path) for path in table["path"]], size):
        masks = lung_masks.of(table[len(known) : len(known) + len(pixels)], pixels, files=False)
        for cleaning, found in rows.items():
            found.append(small_border(pixels, both(image_transforms.border(width), cleaning), masks))
        known += [mask is not None for mask in masks]
        progress(N_("borders, plain pixels"), len(known), len(table))
    return np.array(known), {cleaning: np.concatenate(found) for cleaning, found in rows.items()}
