"""Mitigations: what each image transform does to the shortcut audit of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.audits.masked_probe import MaskedFeatures, probe_accuracy
from cxrcore.audits.shortcut import WIDTHS, combined, enough_known, small_border
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.i18n import N_
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, ignore_stages
from cxrcore.runs import Run
from cxrcore.schema import Stored, migrate_metrics

FILE, _FILE_OF_VERSION_1 = "mitigations.json", "remedies.json"


@dataclass(frozen=True)
class MitigationResult:
    """Probe accuracies after an image transform, see `ShortcutAudit`; `source` is None with one source."""

    full: Metric
    border: Metric
    border_pixels: Metric
    source: Metric | None

    @property
    def best_border(self) -> Metric:
        """The better of the two probes on the border."""
        return max(self.border, self.border_pixels, key=lambda metric: metric.value or 0)


class Mitigations(Stored):
    """`mitigations.json`.

    Attributes:
        n: number of images that were used.
        of: number of images of the run.
        width: of the border, in pixels.
        transforms: the result of each of `image_transforms.TRANSFORMS`, "" for none. Those that need lungs are left out
            where too few lungs are known.
        best: the transform with the lowest `best_border`.
    """

    n: int
    of: int
    width: int
    transforms: dict[str, MitigationResult]
    best: str

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename `cleanings`."""
        found: dict[str, Any] = migrate_metrics(values)
        return found | {"transforms": found.pop("cleanings")}


def compare(run: Run, progress: StageProgress = ignore_stages) -> Mitigations:
    """Measure every image transform, and keep the result with the run.

    The border, the widest of the shortcut audit, is masked before the transform. All transforms are measured on the
    images whose lungs the segmenter finds; on all images where these are too few.

    Raises:
        UserError: weights or images are missing.
    """
    settings.require_writable()
    whole, size = run.table, run.config.size
    width = round(size * WIDTHS[-1])
    border = image_transforms.border(width)
    backbone = MaskedFeatures(run, progress)
    known, pixels = _read(whole, size, border, progress)
    enough = enough_known(whole, known)
    chosen = known if enough else np.ones(len(whole), bool)
    table = whole[chosen]

    def result(transform: str) -> MitigationResult:
        full = backbone.extract(table, transform, N_("features of whole images"))
        borders = backbone.extract(table, combined(border, transform), N_("features of borders"))
        return MitigationResult(
            full=probe_accuracy(full, table),
            border=probe_accuracy(borders, table),
            border_pixels=probe_accuracy(pixels[transform][chosen], table),
            source=probe_accuracy(full, table, "source") if table["source"].nunique() > 1 else None,
        )

    names = [name for name in image_transforms.TRANSFORMS if enough or not image_transforms.needs_lungs(name)]
    transforms = {name: result(name) for name in names}
    best = min(filter(None, names), key=lambda name: transforms[name].best_border.value or 0)
    mitigations = Mitigations(n=len(table), of=len(whole), width=width, transforms=transforms, best=best)
    mitigations.write(run.folder / FILE)
    return mitigations


def load(run: Run) -> Mitigations | None:
    """Return the mitigations measured for a run, None before they were.

    Raises:
        DamagedFileError: the file is damaged.
    """
    newest = Mitigations.read_if_present(run.folder / FILE)
    return newest or Mitigations.read_if_present(run.folder / _FILE_OF_VERSION_1)


def _read(
    table: pd.DataFrame, size: int, border: str, progress: StageProgress
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return whether the lungs are found, boolean (n,), and the small borders by transform, from one reading."""
    known: list[bool] = []
    borders: dict[str, list[np.ndarray]] = {name: [] for name in image_transforms.TRANSFORMS}
    for pixels in extract.batches([Path(path) for path in table["path"]], size):
        masks = lung_masks.of(table[len(known) : len(known) + len(pixels)], pixels, files=False)
        for name, parts in borders.items():
            parts.append(small_border(pixels, combined(border, name), masks))
        known += [mask is not None for mask in masks]
        progress(N_("pixels of borders"), len(known), len(table))
    return np.array(known), {name: np.concatenate(parts) for name, parts in borders.items()}
