"""The shortcut audit: can the class, or the source, be predicted without the lungs?

DeGrave et al. 2021 (doi:10.1038/s42256-021-00338-7) and Maguolo & Nanni 2020 (arXiv:2004.12823) found that
classifiers of COVID-19 tell hospitals apart by what surrounds the lungs; the second by blacking out the centre of
each image, as is done here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.audits import corner_occlusion
from cxrcore.audits.corner_occlusion import CornerResult
from cxrcore.audits.masked_probe import MaskedFeatures, chance, probe_accuracy
from cxrcore.evaluation import intervals
from cxrcore.explain import pointing_game
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.i18n import N_
from cxrcore.inference import saved_model
from cxrcore.inference.labels import class_indices
from cxrcore.messages import Message, msg
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, ignore_stages
from cxrcore.runs import Run
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


class ShortcutAudit(Stored):
    """`shortcut.json`. Probe accuracies are of a linear classifier, cross-validated by patient.

    Attributes:
        chance: share of the largest class.
        full: probe accuracy on the run's features of whole images.
        border: the same with only a border visible, by its width in pixels.
        border_pixels: the same from the pixels of reduced images: the backbone may miss a mark that another would use.
        source: probe accuracy of predicting the source, None with one source.
        lungs: probes with and without lungs, None where too few lungs are known.
        corners: predictions of the run's model without each corner, None without a model.
        energy: where the heatmaps of the test images lie.
        is_shortcut: whether a border predicts the class clearly better than chance.
        sentence: the result in words.
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


def audit(run: Run, progress: StageProgress = ignore_stages) -> ShortcutAudit:
    """Audit a run's images and backbone, and keep the result with the run.

    Of a run with an image transform, borders and lungs are masked before the transform.

    Raises:
        UserError: weights or images are missing.
    """
    settings.require_writable()
    table, size, transform = run.table, run.config.size, run.config.image_transform
    # A run with an image transform found the lungs with the segmenter, and so does its audit.
    files = lung_masks.given(table) and not transform
    widths = [round(size * share) for share in WIDTHS]
    backbone = MaskedFeatures(run, progress)
    full = backbone.extract(table, transform, N_("features of whole images"))
    images = _read(table, size, transform, widths, files, progress)

    def features(mask: str, stage: str) -> np.ndarray:
        return backbone.extract(table, combined(mask, transform), stage, files)

    def border(width: int) -> Metric:
        return probe_accuracy(features(image_transforms.border(width), N_("features of borders")), table)

    borders = {width: border(width) for width in widths}
    border_pixels = {width: probe_accuracy(images.borders[width], table) for width in widths}
    is_shortcut, sentence = _verdict(chance(table["label"]), borders, border_pixels)
    result = ShortcutAudit(
        chance=chance(table["label"]),
        full=probe_accuracy(full, table),
        border=borders,
        border_pixels=border_pixels,
        source=probe_accuracy(full, table, "source") if table["source"].nunique() > 1 else None,
        lungs=_lung_probes(table, images.lungs_known, full, features, files),
        corners=_corners(run, table[table["split"] == "test"], progress),
        energy=_energy(run, images.test_lungs),
        is_shortcut=is_shortcut,
        sentence=sentence,
    )
    result.write(run.folder / FILE)
    return result


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
class _Images:
    """From one reading of all images: small borders by width, see `small_border`; whether the lungs are known, boolean
    (n,); and the lungs of the test images, boolean (MASK_SIDE, MASK_SIDE).
    """

    borders: dict[int, np.ndarray]
    lungs_known: np.ndarray
    test_lungs: list[np.ndarray | None]


def _read(
    table: pd.DataFrame, size: int, transform: str, widths: list[int], files: bool, progress: StageProgress
) -> _Images:
    borders: dict[int, list[np.ndarray]] = {width: [] for width in widths}
    known: list[bool] = []
    test_lungs: list[np.ndarray | None] = []
    for pixels in extract.batches([Path(path) for path in table["path"]], size):
        rows = table[len(known) : len(known) + len(pixels)]
        masks = lung_masks.of(rows, pixels, files)
        for width in widths:
            border = combined(image_transforms.border(width), transform)
            borders[width].append(small_border(pixels, border, masks))
        known += [mask is not None for mask in masks]
        test_lungs += [_small_mask(mask) for mask, part in zip(masks, rows["split"], strict=True) if part == "test"]
        progress(N_("pixels of borders"), len(known), len(table))
    return _Images({width: np.concatenate(parts) for width, parts in borders.items()}, np.array(known), test_lungs)


def _small_mask(mask: np.ndarray | None) -> np.ndarray | None:
    if mask is None:
        return None
    small = cv2.resize(mask.astype(np.uint8), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_NEAREST)
    return small.astype(bool)


def _lung_probes(
    table: pd.DataFrame,
    known: np.ndarray,
    full: np.ndarray,
    features: Callable[[str, str], np.ndarray],
    files: bool,
) -> LungProbes | None:
    if not enough_known(table, known):
        return None
    rows = table[known]
    return LungProbes(
        origin=lung_masks.origin(files, list(known)),
        chance=chance(rows["label"]),
        whole=probe_accuracy(full[known], rows),
        only=probe_accuracy(features("only-lungs", N_("features of lungs"))[known], rows),
        without=probe_accuracy(features("no-lungs", N_("features without lungs"))[known], rows),
    )


def _corners(run: Run, tests: pd.DataFrame, progress: StageProgress) -> dict[str, CornerResult] | None:
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


def _verdict(chance: float, borders: dict[int, Metric], border_pixels: dict[int, Metric]) -> tuple[bool, Message]:
    """Return whether the interval of any border lies above chance plus the margin, and the sentence of the best one."""
    features, pixels = N_("a linear classifier on this backbone"), N_("a linear classifier on the pixels")
    evidence = [(metric, width, features) for width, metric in borders.items()]
    evidence += [(metric, width, pixels) for width, metric in border_pixels.items()]
    significant = [each for each in evidence if (each[0].low or 0) > chance + MARGIN]
    best, width, probe = max(significant or evidence, key=lambda each: each[0].value or 0)
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
