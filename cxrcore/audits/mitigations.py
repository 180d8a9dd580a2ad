"""Mitigations: what each image transform does to the shortcut audit of a run."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.audits import sample
from cxrcore.audits.masked_probe import MaskedFeatures, missing, probe_accuracy
from cxrcore.audits.shortcut import (
    BORDER_PIXELS,
    READ_SECONDS,
    START_SECONDS,
    WHOLE,
    WIDTHS,
    combined,
    enough_known,
    small_border,
)
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.messages import Message, msg
from cxrcore.metric import Metric
from cxrcore.progress import PlannedStep, StepProgress, Steps, TaskProgress, ignore_steps, planned_seconds
from cxrcore.runs import Run, rate
from cxrcore.schema import Stored, migrate_metrics

FILE, _FILE_OF_VERSION_1 = "mitigations.json", "remedies.json"
PASSES = 8  # of a sample through the backbone: the border after each of six transforms, and two whole images
CANDIDATES = 2


@dataclass(frozen=True)
class MitigationResult:
    """Probe accuracies after an image transform, see `ShortcutAudit`.

    `full` and `source` are None for a transform that leaves more of the border than others; `source` also with one
    source.
    """

    full: Metric | None
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
        n: number of images whose features were used.
        n_pixels: the same of `border_pixels`; None in files of earlier versions, where it was `n`.
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
    n_pixels: int | None = None

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename `cleanings`."""
        found: dict[str, Any] = migrate_metrics(values)
        return found | {"transforms": found.pop("cleanings")}


def compare(run: Run, progress: StepProgress = ignore_steps) -> Mitigations:
    """Measure every image transform on a sample of the images, and keep the result with the run.

    The border, the widest of the shortcut audit, is masked before the transform. Pixels are measured on the images
    whose lungs the segmenter finds, on all images where these are too few; features on the first of these. Whole images
    are measured without a transform, and after the `CANDIDATES` that leave least of the border.

    Raises:
        UserError: weights or images are missing.
    """
    settings.require_writable()
    config, rows = run.config, sample.first(sample.ordered(run.table), sample.MOST)
    border = image_transforms.border(_width(run))
    steps = Steps(progress, _plan(run), rate.expected(run))
    backbone = MaskedFeatures(run, steps)
    known, pixels = _read(rows, config.size, border, steps)
    enough = enough_known(rows, known)
    chosen = known if enough else np.ones(len(rows), bool)
    table = rows[chosen]
    first = sample.first(table, sample.size(config, PASSES))
    names = [name for name in image_transforms.TRANSFORMS if enough or not image_transforms.needs_lungs(name)]

    def borders(transform: str) -> MitigationResult:
        vectors = backbone.extract(first, combined(border, transform), _border_stage(transform))
        return MitigationResult(
            full=None,
            border=probe_accuracy(vectors, first),
            border_pixels=probe_accuracy(pixels[transform][chosen], table),
            source=None,
        )

    def whole(transform: str) -> MitigationResult:
        vectors = backbone.extract(first, transform, WHOLE)
        source = probe_accuracy(vectors, first, "source") if first["source"].nunique() > 1 else None
        return replace(transforms[transform], full=probe_accuracy(vectors, first), source=source)

    transforms = {name: borders(name) for name in names}
    ranked = sorted(filter(None, names), key=lambda name: transforms[name].best_border.value or 0)
    transforms |= {name: whole(name) for name in ["", *ranked[:CANDIDATES]]}
    mitigations = Mitigations(
        n=len(first), of=len(run.table), width=_width(run), transforms=transforms, best=ranked[0], n_pixels=len(table)
    )
    mitigations.write(run.folder / FILE)
    rate.keep_measured(run, steps)
    return mitigations


def seconds(run: Run) -> float:
    """Return about how long `compare` will take."""
    return START_SECONDS + planned_seconds(_plan(run), rate.expected(run))


def load(run: Run) -> Mitigations | None:
    """Return the mitigations measured for a run, None before they were.

    Raises:
        DamagedFileError: the file is damaged.
    """
    newest = Mitigations.read_if_present(run.folder / FILE)
    return newest or Mitigations.read_if_present(run.folder / _FILE_OF_VERSION_1)


def _width(run: Run) -> int:
    """Return the width of the border in pixels."""
    return round(run.config.size * WIDTHS[-1])


def _plan(run: Run) -> list[PlannedStep]:
    """Return the steps, as if all lungs were known."""
    config, digest, border = run.config, run.info.weights_digest, image_transforms.border(_width(run))
    rows = sample.first(sample.ordered(run.table), sample.MOST)
    first = sample.first(rows, sample.size(config, PASSES))
    names = list(image_transforms.TRANSFORMS)

    def step(stage: str | Message, transform: str) -> PlannedStep:
        return PlannedStep(stage, missing(config, digest, first, transform), passes=1)

    return [
        PlannedStep(BORDER_PIXELS, len(rows), seconds=READ_SECONDS * 2),
        *(step(_border_stage(name), combined(border, name)) for name in names),
        step(WHOLE, ""),
        # Which transforms these will be is not known before.
        *[PlannedStep(WHOLE, len(first), passes=1)] * CANDIDATES,
    ]


def _border_stage(transform: str) -> Message:
    label = Message(id=image_transforms.TRANSFORMS[transform])
    return msg("border only, image transform: {transform}", transform=label)


def _read(
    table: pd.DataFrame, size: int, border: str, progress: TaskProgress
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return whether the lungs are found, boolean (n,), and the small borders by transform, from one reading."""
    known: list[bool] = []
    borders: dict[str, list[np.ndarray]] = {name: [] for name in image_transforms.TRANSFORMS}
    for pixels in extract.batches([Path(path) for path in table["path"]], size):
        masks = lung_masks.of(table[len(known) : len(known) + len(pixels)], pixels, files=False)
        for name, parts in borders.items():
            parts.append(small_border(pixels, combined(border, name), masks))
        known += [mask is not None for mask in masks]
        progress(BORDER_PIXELS, len(known), len(table))
    return np.array(known), {name: np.concatenate(parts) for name, parts in borders.items()}
