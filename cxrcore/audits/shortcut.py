"""The shortcut audit: can the class, or the source, be predicted without the lungs?

DeGrave et al. 2021 (doi:10.1038/s42256-021-00338-7) and Maguolo & Nanni 2020 (arXiv:2004.12823) found that
classifiers of COVID-19 tell hospitals apart by what surrounds the lungs; the second by blacking out the centre of
each image, as is done here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.audits import corner_occlusion, sample
from cxrcore.audits.corner_occlusion import CornerResult
from cxrcore.audits.masked_probe import MaskedFeatures, chance, missing, probe_accuracy
from cxrcore.evaluation import intervals
from cxrcore.explain import pointing_game
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.i18n import N_
from cxrcore.inference import saved_model
from cxrcore.inference.labels import class_indices
from cxrcore.messages import Message, msg
from cxrcore.metric import Metric
from cxrcore.progress import PlannedStep, StepProgress, Steps, TaskProgress, ignore_steps, planned_seconds
from cxrcore.runs import Run, rate
from cxrcore.schema import Stored, migrate_metrics

FILE = "shortcut.json"
# Border widths as shares of the side: 10, 20 and 30 pixels of 237.
WIDTHS = (10 / 237, 20 / 237, 30 / 237)
# How far the interval of a border must lie above chance to count as a shortcut.
MARGIN = 0.05
SMALL = 32  # side of the reduced images for the probe on pixels
FRAME = 0.15  # of the side: the outer part of an image, 51 % of its area
LEAST_KNOWN = 0.5  # share of images whose lungs must be found for probes with and without lungs
MASK_SIDE = 100
# Passes of a sample through the backbone in all: borders and lungs, a second look, and the corners of some test images.
PASSES = 8
LOOKS = (1, 2)  # at the widest border, after so many times the sample's size
START_SECONDS = 8  # to load the libraries and to build the models
READ_SECONDS = 0.01  # to read an image, find its lungs and reduce its borders

BORDER_PIXELS, WHOLE = N_("pixels of borders"), N_("features of whole images")
_ONLY_LUNGS, _NO_LUNGS = N_("features of lungs"), N_("features without lungs")
_FEATURES, _PIXELS = N_("a linear classifier on this backbone"), N_("a linear classifier on the pixels")


@dataclass(frozen=True)
class LungProbes:
    """Probe accuracies on the images whose lungs are known: whole, with only the lungs, and without them.

    `chance` is the share of the largest class of these images, `origin` where the lungs come from.
    """

    origin: Message
    chance: float
    whole: Metric
    only: Metric
    without: Metric


@dataclass(frozen=True)
class HeatmapEnergy:
    """The mean share of the predicted class's Grad-CAM in the outer `frame` and `outside` the lungs, over test images.

    None where no heatmap has any energy, or no lungs are known.
    """

    frame: Metric | None
    outside: Metric | None


@dataclass(frozen=True)
class Sampling:
    """How many images the widest border was measured on, `n` `of` those of the run, after so many `looks` of those that
    were planned.
    """

    n: int
    of: int
    looks: int
    planned_looks: int

    @property
    def stopped_early(self) -> bool:
        """Whether the measurement ended before the last planned look."""
        return self.looks < self.planned_looks


class ShortcutAudit(Stored):
    """`shortcut.json`. Probe accuracies are of a linear classifier, cross-validated by patient.

    Attributes:
        chance: share of the largest class among the images of the widest border.
        full: probe accuracy on the run's features of whole images.
        border: the same with only a border visible, by its width in pixels. The interval of the widest is corrected
            for the planned looks.
        border_pixels: the same from the pixels of reduced images: the backbone may miss a mark that another would use.
        source: probe accuracy of predicting the source, None with one source.
        lungs: probes with and without lungs, None where too few lungs are known.
        corners: predictions of the run's model without each corner, None without a model.
        energy: where the heatmaps of the test images lie.
        is_shortcut: whether a border predicts the class clearly better than chance.
        sentence: the result in words.
        sampling: the images that were used; None in files of earlier versions, which used all.
    """

    chance: float
    full: Metric
    border: dict[int, Metric]
    border_pixels: dict[int, Metric]
    source: Metric | None
    lungs: LungProbes | None
    corners: dict[str, CornerResult] | None
    energy: HeatmapEnergy
    is_shortcut: bool
    sentence: Message
    sampling: Sampling | None = None

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename `verdict` and `from`, and put the metric of a corner into `accuracy`."""
        found: dict[str, Any] = migrate_metrics(values)
        found["is_shortcut"] = found.pop("verdict") == "shortcut"
        if lungs := found["lungs"]:
            lungs["origin"] = lungs.pop("from")
        if corners := found["corners"]:
            changed = {name: corner.pop("changed") for name, corner in corners.items()}
            found["corners"] = {name: {"accuracy": corners[name], "changed": n} for name, n in changed.items()}
        return found


def audit(run: Run, progress: StepProgress = ignore_steps) -> ShortcutAudit:
    """Audit a sample of a run's images and its backbone, and keep the result with the run.

    The pixels of borders come first, as they cost no pass through the backbone, then the widest border, on samples that
    grow (see `LOOKS`) until the pixels have shown a shortcut or the interval is above or below chance plus the margin.
    All else is measured on the first of these samples. The interval of the widest border is corrected for the planned
    looks by Bonferroni, the simplest spending of the error over looks (Lan & DeMets 1983, doi:10.1093/biomet/70.3.659).

    Of a run with an image transform, borders and lungs are masked before the transform.

    Raises:
        UserError: weights or images are missing.
    """
    settings.require_writable()
    samples, transform = _samples(run), run.config.image_transform
    steps = Steps(progress, _plan(run, samples), rate.expected(run))
    backbone = MaskedFeatures(run, steps)
    images = _read(samples, run.config.size, transform, steps)
    border_pixels = {width: probe_accuracy(images.borders[width], samples.rows) for width in samples.widths}
    pixel_chance, widest = chance(samples.rows["label"]), samples.widths[-1]
    by_pixels = any(_is_above(metric, pixel_chance) for metric in border_pixels.values())
    confidence = 1 - 0.05 / len(samples.looks)

    def features(rows: pd.DataFrame, mask: str, stage: str | Message) -> np.ndarray:
        return backbone.extract(rows, combined(mask, transform), stage, samples.files)

    def border(rows: pd.DataFrame, width: int, confidence: float = 0.95) -> Metric:
        vectors = features(rows, image_transforms.border(width), _border_stage(width))
        return probe_accuracy(vectors, rows, confidence=confidence)

    taken = 0
    for looked in samples.looks:
        found, taken = border(looked, widest, confidence), taken + 1
        if by_pixels or _is_decided(found, chance(looked["label"])):
            break
    first = samples.looks[0]
    borders = {width: border(first, width) for width in samples.widths[:-1]} | {widest: found}
    chances = {width: chance(first["label"]) for width in borders} | {widest: chance(looked["label"])}
    full = backbone.extract(first, transform, WHOLE)
    is_shortcut, sentence = _verdict(
        [(metric, width, chances[width], _FEATURES) for width, metric in borders.items()]
        + [(metric, width, pixel_chance, _PIXELS) for width, metric in border_pixels.items()]
    )
    result = ShortcutAudit(
        chance=chances[widest],
        full=probe_accuracy(full, first),
        border=borders,
        border_pixels=border_pixels,
        source=probe_accuracy(full, first, "source") if first["source"].nunique() > 1 else None,
        lungs=_lung_probes(first, images.lungs_known[: len(first)], full, features, samples.files),
        corners=_corners(run, samples.tests, steps),
        energy=_energy(run, [images.lungs.get(path) for path in run.predictions("test")["path"]]),
        is_shortcut=is_shortcut,
        sentence=sentence,
        sampling=Sampling(n=len(looked), of=len(run.table), looks=taken, planned_looks=len(samples.looks)),
    )
    result.write(run.folder / FILE)
    rate.keep_measured(run, steps)
    return result


def seconds(run: Run) -> float:
    """Return about how long `audit` will take; it takes more if the first look decides nothing."""
    return START_SECONDS + planned_seconds(_plan(run, _samples(run)), rate.expected(run))


def load(run: Run) -> ShortcutAudit | None:
    """Return the audit of a run, None before it was made.

    Raises:
        DamagedFileError: the file is damaged.
    """
    return ShortcutAudit.read_if_present(run.folder / FILE)


def combined(*names: str) -> str:
    """Return the name of image transforms applied one after the other; "" is none."""
    return "+".join(filter(None, names))


def small_border(pixels: np.ndarray, transform: str, masks: image_transforms.Masks | None = None) -> np.ndarray:
    """Return images uint8 (n, size, size, 3) after a transform as small grey images, float32 (n, SMALL * SMALL)."""
    transformed = image_transforms.apply(pixels, transform, masks)
    small = [cv2.resize(image[..., 0], (SMALL, SMALL), interpolation=cv2.INTER_AREA) for image in transformed]
    return np.stack(small).reshape(len(pixels), -1).astype(np.float32)


def enough_known(table: pd.DataFrame, known: np.ndarray) -> bool:
    """Return whether the images whose lungs are known, boolean (n,), are enough to cross-validate every class."""
    patients = table[known].groupby("label")["patient"].nunique()
    return bool(known.mean() >= LEAST_KNOWN and len(patients) == table["label"].nunique() and patients.min() > 1)


@dataclass(frozen=True)
class _Samples:
    """What is measured: the borders of `widths`, ascending; on `rows`, in the order of `sample.ordered`, the pixels; on
    `looks`, the first of `rows`, the features; on `tests` the corners. `files` tells whether lungs come from files.
    """

    widths: list[int]
    rows: pd.DataFrame
    looks: list[pd.DataFrame]
    tests: pd.DataFrame
    files: bool


def _samples(run: Run) -> _Samples:
    table, config = run.table, run.config
    rows = sample.first(sample.ordered(table), sample.MOST)
    size = sample.size(config, PASSES)
    tests = table[table["split"] == "test"].reset_index(drop=True)
    return _Samples(
        widths=[round(config.size * share) for share in WIDTHS],
        rows=rows,
        looks=sample.looks(rows, [size * times for times in LOOKS]),
        tests=sample.first(sample.ordered(tests), max(1, size // 3)),
        # A run with an image transform found the lungs with the segmenter, and so does its audit.
        files=lung_masks.given(rows) and not config.image_transform,
    )


def _plan(run: Run, samples: _Samples) -> list[PlannedStep]:
    config, digest, first = run.config, run.info.weights_digest, samples.looks[0]

    def features(stage: str | Message, mask: str) -> PlannedStep:
        name = combined(mask, config.image_transform)
        return PlannedStep(stage, missing(config, digest, first, name, samples.files), passes=1)

    *narrow, widest = samples.widths
    return [
        PlannedStep(BORDER_PIXELS, len(samples.rows), seconds=READ_SECONDS),
        *(features(_border_stage(width), image_transforms.border(width)) for width in (widest, *narrow)),
        features(WHOLE, ""),
        features(_ONLY_LUNGS, "only-lungs"),
        features(_NO_LUNGS, "no-lungs"),
        PlannedStep(corner_occlusion.STAGE, len(samples.tests), passes=corner_occlusion.PASSES),
    ]


def _border_stage(width: int) -> Message:
    return msg("border of {width} px only", width=width)


@dataclass(frozen=True)
class _Images:
    """From one reading: small borders by width, see `small_border`, and whether the lungs are known, boolean (n,), of
    the sample's rows; and the lungs by path, boolean (MASK_SIDE, MASK_SIDE).
    """

    borders: dict[int, np.ndarray]
    lungs_known: np.ndarray
    lungs: dict[str, np.ndarray | None]


def _read(samples: _Samples, size: int, transform: str, progress: TaskProgress) -> _Images:
    rows, borders = samples.rows, {width: list[np.ndarray]() for width in samples.widths}
    known: list[bool] = []
    lungs: dict[str, np.ndarray | None] = {}
    for pixels in extract.batches([Path(path) for path in rows["path"]], size):
        part = rows[len(known) : len(known) + len(pixels)]
        masks = lung_masks.of(part, pixels, samples.files)
        for width in samples.widths:
            border = combined(image_transforms.border(width), transform)
            borders[width].append(small_border(pixels, border, masks))
        known += [mask is not None for mask in masks]
        lungs |= {path: _small_mask(mask) for path, mask in zip(part["path"], masks, strict=True)}
        progress(BORDER_PIXELS, len(known), len(rows))
    found = {width: np.concatenate(parts) for width, parts in borders.items()}
    return _Images(found, np.array(known), lungs)


def _small_mask(mask: np.ndarray | None) -> np.ndarray | None:
    if mask is None:
        return None
    small = cv2.resize(mask.astype(np.uint8), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_NEAREST)
    return small.astype(bool)


def _lung_probes(
    table: pd.DataFrame,
    known: np.ndarray,
    full: np.ndarray,
    features: Callable[[pd.DataFrame, str, str], np.ndarray],
    files: bool,
) -> LungProbes | None:
    if not enough_known(table, known):
        return None
    rows = table[known]
    return LungProbes(
        origin=lung_masks.origin(files, list(known)),
        chance=chance(rows["label"]),
        whole=probe_accuracy(full[known], rows),
        only=probe_accuracy(features(rows, "only-lungs", _ONLY_LUNGS), rows),
        without=probe_accuracy(features(rows, "no-lungs", _NO_LUNGS), rows),
    )


def _corners(run: Run, tests: pd.DataFrame, progress: TaskProgress) -> dict[str, CornerResult] | None:
    """Return the result of each corner; None without a model, which the rest of the audit does not need."""
    return corner_occlusion.audit(run, tests, progress) if saved_model.has_model(run) else None


def _energy(run: Run, lungs: list[np.ndarray | None]) -> HeatmapEnergy:
    predictions = run.predictions("test")
    targets = class_indices(predictions["predicted"], run.classes)
    heatmaps, patients = run.heatmaps()[np.arange(len(targets)), targets], predictions["patient"].to_numpy()
    frame = np.ones((MASK_SIDE, MASK_SIDE), bool)
    edge = round(MASK_SIDE * FRAME)
    frame[edge:-edge, edge:-edge] = False
    known = np.flatnonzero([mask is not None for mask in lungs])
    inside = pointing_game.energy(heatmaps[known], [mask for mask in lungs if mask is not None])
    return HeatmapEnergy(
        frame=intervals.mean(pointing_game.energy(heatmaps, [frame] * len(heatmaps)), patients),
        outside=intervals.mean(1 - inside, patients[known]),
    )


def _is_above(metric: Metric, chance: float) -> bool:
    """Return whether the interval of a border lies above chance plus the margin."""
    return (metric.low or 0) > chance + MARGIN


def _is_decided(metric: Metric, chance: float) -> bool:
    """Return whether the interval of a border lies above chance plus the margin, or below it."""
    return _is_above(metric, chance) or (metric.high is not None and metric.high < chance + MARGIN)


def _verdict(evidence: Sequence[tuple[Metric, int, float, str]]) -> tuple[bool, Message]:
    """Return whether any border is above chance, and the sentence of the best one.

    Each item is the accuracy, the width of the border, the chance of the same images, and the name of the probe.
    """
    significant = [each for each in evidence if _is_above(each[0], each[2])]
    best, width, chance, probe = max(significant or evidence, key=lambda each: each[0].value or 0)
    finding = _finding(best, width, msg(probe), chance)
    if significant:
        return True, msg("{finding}: much of what predicts the class is outside the lungs.", finding=finding)
    return False, msg(
        "{finding}, which is not clearly better than chance. This does not prove that there is no shortcut.",
        finding=finding,
    )


def _finding(metric: Metric, width: int, probe: Message, chance: float) -> Message:
    if not metric.has_interval:
        return msg(
            "With only a border of {width} pixels visible, {probe} predicts the class with {accuracy:.1%} accuracy "
            "(chance {chance:.0%})",
            width=width,
            probe=probe,
            accuracy=metric.value,
            chance=chance,
        )
    return msg(
        "With only a border of {width} pixels visible, {probe} predicts the class with {accuracy:.1%} accuracy (95% "
        "interval {low:.1%} to {high:.1%}; chance {chance:.0%})",
        width=width,
        probe=probe,
        accuracy=metric.value,
        low=metric.low,
        high=metric.high,
        chance=chance,
    )
