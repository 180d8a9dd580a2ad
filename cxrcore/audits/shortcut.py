"""Does it cheat? How well the class can be told without the lungs, and how well the source can be told.

DeGrave et al. 2021 (doi:10.1038/s42256-021-00338-7) and Maguolo & Nanni 2020 (arXiv:2004.12823) found that
classifiers of COVID-19 tell hospitals apart by what surrounds the lungs; the second by blacking out the centre of
each image, as is done here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.audits import corner_occlusion, masked_probe
from cxrcore.audits.masked_probe import Progress, chance
from cxrcore.evaluation import intervals
from cxrcore.evaluation.linear_probe import measure
from cxrcore.explain import pointing_game
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.i18n import N_
from cxrcore.messages import msg
from cxrcore.runs import Run

# Border widths as shares of the side: 10, 20 and 30 pixels of 237.
WIDTHS = (10 / 237, 20 / 237, 30 / 237)
# What a border may tell by accident, above the share of the largest class, before it counts as a shortcut.
MARGIN = 0.05
SMALL = 32  # side of the pictures for the plain look
FRAME = 0.15  # of the side: the outer part of an image, 51 % of its area
LEAST_KNOWN = 0.5  # share of images whose lungs must be found before accuracies with and without lungs say something


def audit(run: Run, progress: Progress | None = None) -> dict[str, Any]:
    """Return the audit of a run's images and backbone, and keep it with the run.

    `chance` is the share of the largest class; `full`, `border` (by width in pixels) and `source` each have
    `accuracy`, `ci95` and `n`, from the features of the run's backbone; `source` is None when there is one source.
    `border_pixels` is the same from plain pixels: a mark that this backbone happens to overlook is in the images all
    the same, for the next backbone to use. `lungs`, None where they are not known, has `only` and `without` and the
    same for the `whole` of these images, their `chance` and where the lungs come `from`. `corners` see `corners.audit`;
    None without a model. Of a run with a cleaning, borders and lungs are those of the image before it.
    `energy` is the share of the test images' Grad-CAM in the outer `frame` and `outside` the lungs. `verdict` is
    `shortcut` or `none found`, `sentence` says why.

    Raises:
        UserError: weights or images are gone.
    """
    settings.require_writable()
    progress = progress or (lambda stage, done, total: None)
    table, size, cleaning = run.table, run.config["size"], run.config.get("cleaning", "")
    # A run that was cleaned found the lungs with the segmenter, and so does its audit.
    files = lung_masks.given(table) and not cleaning
    widths = [round(size * share) for share in WIDTHS]
    full = masked_probe.features(run, table, cleaning, progress)
    pixels, known, lungs = _look(table, size, cleaning, widths, files, progress)
    labels = table["label"]

    def telling(alteration: str) -> np.ndarray:
        return masked_probe.features(run, table, both(alteration, cleaning), progress, files)

    found: dict[str, Any] = {
        "chance": chance(labels),
        "full": measure(full, labels, table),
        "border": {str(width): measure(telling(image_transforms.border(width)), labels, table) for width in widths},
        "border_pixels": {str(width): measure(pixels[width], labels, table) for width in widths},
        "source": measure(full, table["source"], table) if table["source"].nunique() > 1 else None,
        "lungs": _lungs(table, known, full, telling, files),
        "corners": _corners(run, table[table["split"] == "test"], progress),
        "energy": _energy(run, lungs),
    }
    found |= _verdict(found)
    run.write("shortcut.json", found)
    return found


def both(*names: str) -> str:
    """Return the name of alterations one after the other; "" is none."""
    return "+".join(filter(None, names))


def small_border(pixels: np.ndarray, alteration: str, masks: image_transforms.Masks | None = None) -> np.ndarray:
    """Return images uint8 (n, size, size, 3) after an alteration as small grey pictures, float32 (n, SMALL * SMALL)."""
    altered_images = image_transforms.apply(pixels, alteration, masks)
    small = [cv2.resize(image[..., 0], (SMALL, SMALL), interpolation=cv2.INTER_AREA) for image in altered_images]
    return np.stack(small).reshape(len(pixels), -1).astype(np.float32)


def enough_known(table: pd.DataFrame, known: np.ndarray) -> bool:
    """Return whether the images whose lungs are known, boolean (n,), are enough to cross-validate every class on."""
    patients = table[known].groupby("label")["patient"].nunique()
    return bool(known.mean() >= LEAST_KNOWN and len(patients) == table["label"].nunique() and patients.min() > 1)


def _lungs(
    table: pd.DataFrame, known: np.ndarray, full: np.ndarray, telling: Callable[[str], np.ndarray], files: bool
) -> dict[str, Any] | None:
    """Return what can be told with nothing but the lungs and with all but them, of images whose lungs are known."""
    if not enough_known(table, known):
        return None
    rows = table[known]
    return {
        "from": lung_masks.origin(files, list(known)),
        "chance": chance(rows["label"]),
        "whole": measure(full[known], rows["label"], rows),
        "only": measure(telling("only-lungs")[known], rows["label"], rows),
        "without": measure(telling("no-lungs")[known], rows["label"], rows),
    }


def _corners(run: Run, tests: pd.DataFrame, progress: Progress) -> dict[str, dict[str, Any]] | None:
    """Return the audit of the corners; None where the model is gone, which the rest does not need."""
    return corner_occlusion.audit(run, tests, progress) if (run.folder / "model.keras").is_file() else None


def _energy(run: Run, lungs: list[np.ndarray | None]) -> dict[str, Any]:
    """Return the shares of the predicted class's Grad-CAM, each with `value`, `ci95` and `n`; empty maps have none."""
    predictions = run.predictions("test")
    numbers = predictions["predicted"].map(run.about["classes"].index).to_numpy()
    heatmaps = run.heatmaps()[np.arange(len(numbers)), numbers]
    frame = np.ones((100, 100), bool)
    edge = round(100 * FRAME)
    frame[edge:-edge, edge:-edge] = False
    outside = [
        float("nan") if mask is None else 1 - pointing_game.energy(heatmap[None], [mask])[0]
        for heatmap, mask in zip(heatmaps, lungs, strict=True)
    ]
    patients = predictions["patient"].to_numpy()
    return {
        "frame": intervals.mean(pointing_game.energy(heatmaps, [frame] * len(heatmaps)), patients),
        "outside": intervals.mean(np.array(outside), patients),
    }


def _verdict(found: dict[str, Any]) -> dict[str, str]:
    """Return the verdict and its sentence: a shortcut if the interval of a border lies above chance plus the margin."""
    evidence = [
        (border, width, means)
        for means, key in ((N_("this backbone"), "border"), (N_("a plain look at the pixels"), "border_pixels"))
        for width, border in found[key].items()
    ]
    telling = [item for item in evidence if item[0]["ci95"][0] > found["chance"] + MARGIN]
    border, width, means = max(telling or evidence, key=lambda item: item[0]["accuracy"])
    low, high = border["ci95"]
    evidence_in_words = msg(
        "With only a border of {width} pixels visible, {means} still tells the class in {accuracy:.0%} (95% interval "
        "{low:.0%} to {high:.0%}; chance {chance:.0%})",
        width=width, means=means, accuracy=border["accuracy"], low=low, high=high, chance=found["chance"],
    )  # fmt: skip
    sentence = msg("{evidence}: much of what can be learned here is not in the lungs.", evidence=evidence_in_words)
    if not telling:
        sentence = msg(
            "{evidence}, which is not clearly more than chance. That does not prove that there is no shortcut.",
            evidence=evidence_in_words,
        )
    return {"verdict": "shortcut" if telling else "none found", "sentence": sentence}


def _look(
    table: pd.DataFrame, size: int, cleaning: str, widths: list[int], files: bool, progress: Progress
) -> tuple[dict[int, np.ndarray], np.ndarray, list[np.ndarray | None]]:
    """Return, from one reading of all images: the borders by width, see `small_border`; whether the lungs are known,
    boolean (n,); and the lungs of the test images, small."""
    rows: dict[int, list[np.ndarray]] = {width: [] for width in widths}
    known: list[bool] = []
    tested: list[np.ndarray | None] = []
    for pixels in extract.batches([Path(path) for path in table["path"]], size):
        part = table[len(known) : len(known) + len(pixels)]
        masks = lung_masks.of(part, pixels, files)
        for width in widths:
            rows[width].append(small_border(pixels, both(image_transforms.border(width), cleaning), masks))
        known += [mask is not None for mask in masks]
        tested += [_shrunk(mask) for mask, side in zip(masks, part["split"], strict=True) if side == "test"]
        progress(N_("borders, plain pixels"), len(known), len(table))
    return {width: np.concatenate(found) for width, found in rows.items()}, np.array(known), tested


def _shrunk(mask: np.ndarray | None) -> np.ndarray | None:
    if mask is None:
        return None
    return cv2.resize(mask.astype(np.uint8), (100, 100), interpolation=cv2.INTER_NEAREST).astype(bool)
