"""Does it cheat? How well the class can be told without the lungs, and how well the source can be told.

DeGrave et al. 2021 (doi:10.1038/s42256-021-00338-7) and Maguolo & Nanni 2020 (arXiv:2004.12823) found that
classifiers of COVID-19 tell hospitals apart by what surrounds the lungs; the second by blacking out the centre of
each image, as is done here.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.evaluation import altered, corners, intervals
from cxrcore.evaluation.altered import Progress, chance, measure
from cxrcore.explain import pointing
from cxrcore.features import alterations, extract, lung_masks
from cxrcore.language import said
from cxrcore.runs import Run

# Border widths as shares of the side: 10, 20 and 30 pixels of 237.
WIDTHS = (10 / 237, 20 / 237, 30 / 237)
# What a border may tell by accident, above the share of the largest class, before it counts as a shortcut.
MARGIN = 0.05
SMALL = 32  # side of the pictures for the plain look
FRAME = 0.15  # of the side: the outer part of an image, 51 % of its area
_LEAST = 0.5  # share of images whose lungs must be found before accuracies with and without lungs say something


def audit(run: Run, progress: Progress | None = None) -> dict[str, Any]:
    """Return the audit of a run's images and backbone, and keep it with the run.

    `chance` is the share of the largest class; `full`, `border` (by width in pixels) and `source` each have
    `accuracy`, `ci95` and `n`, from the features of the run's backbone; `source` is None when there is one source.
    `border_pixels` is the same from plain pixels: a mark that this backbone happens to overlook is in the images all
    the same, for the next backbone to use. `lungs`, None where they are not known, has `only` and `without` and the
    same for the `whole` of these images, their `chance` and where the lungs come `from`. `corners` see `corners.audit`.
    `energy` is the share of the test images' Grad-CAM in the outer `frame` and `outside` the lungs. `verdict` is
    `shortcut` or `none found`, `sentence` says why.

    Raises:
        UserError: weights or images are gone.
    """
    settings.require_writable()
    progress = progress or (lambda stage, done, total: None)
    table, size, cleaning = run.table, run.config["size"], run.config.get("cleaning", "")
    widths = [round(size * share) for share in WIDTHS]
    full = altered.features(run, table, cleaning, progress)
    pixels, masks, tests = _look(table, size, cleaning, widths, progress)
    labels = table["label"]

    def telling(alteration: str) -> np.ndarray:
        return altered.features(run, table, _both(cleaning, alteration), progress)

    found: dict[str, Any] = {
        "chance": chance(labels),
        "full": measure(full, labels, table),
        "border": {str(width): measure(telling(alterations.border(width)), labels, table) for width in widths},
        "border_pixels": {str(width): measure(pixels[width], labels, table) for width in widths},
        "source": measure(full, table["source"], table) if table["source"].nunique() > 1 else None,
        "lungs": _lungs(table, masks, full, telling),
    }
    classes, tested = run.about["classes"], table[table["split"] == "test"]
    found["corners"] = corners.audit(run, tests, tested["label"].map(classes.index).to_numpy(), progress)
    found["energy"] = _energy(run, table, masks)
    found |= _verdict(found)
    run.write("shortcut.json", found)
    return found


def _both(*names: str) -> str:
    return "+".join(filter(None, names))


def _lungs(
    table: pd.DataFrame, masks: list[np.ndarray | None], full: np.ndarray, telling: Any
) -> dict[str, Any] | None:
    """Return what can be told with nothing but the lungs and with all but them, of images whose lungs are known."""
    known = np.array([mask is not None for mask in masks])
    rows = table[known]
    patients = rows.groupby("label")["patient"].nunique()
    if known.mean() < _LEAST or len(patients) < table["label"].nunique() or patients.min() < 2:
        return None
    return {
        "from": lung_masks.origin(table, masks),
        "chance": chance(rows["label"]),
        "whole": measure(full[known], rows["label"], rows),
        "only": measure(telling("only-lungs")[known], rows["label"], rows),
        "without": measure(telling("no-lungs")[known], rows["label"], rows),
    }


def _energy(run: Run, table: pd.DataFrame, masks: list[np.ndarray | None]) -> dict[str, Any]:
    """Return the shares of the predicted class's Grad-CAM, each with `value`, `ci95` and `n`."""
    predictions = run.predictions("test")
    numbers = predictions["predicted"].map(run.about["classes"].index).to_numpy()
    heatmaps = run.heatmaps()[np.arange(len(numbers)), numbers]
    patients = predictions["patient"].to_numpy()
    lungs = [mask for mask, part in zip(masks, table["split"], strict=True) if part == "test"]
    known = np.flatnonzero([mask is not None for mask in lungs])
    frame = np.ones((100, 100), bool)
    frame[round(100 * FRAME) : -round(100 * FRAME), round(100 * FRAME) : -round(100 * FRAME)] = False
    inside = [mask for mask in lungs if mask is not None]
    return {
        "frame": _mean(pointing.energy(heatmaps, [frame] * len(heatmaps)), patients),
        "outside": _mean(1 - pointing.energy(heatmaps[known], inside), patients[known]) if len(known) else None,
    }


def _mean(values: np.ndarray, patients: np.ndarray) -> dict[str, Any]:
    low, high = intervals.weighted(list(patients), lambda weights: weights @ values / weights.sum(axis=1))
    return {"value": float(values.mean()), "ci95": [float(low), float(high)], "n": len(values)}


def _verdict(found: dict[str, Any]) -> dict[str, str]:
    """Return the verdict and its sentence: a shortcut if the interval of a border lies above chance plus the margin."""
    evidence = [
        (border, width, means)
        for means, key in ((said("this backbone"), "border"), (said("a plain look at the pixels"), "border_pixels"))
        for width, border in found[key].items()
    ]
    telling = [item for item in evidence if item[0]["ci95"][0] > found["chance"] + MARGIN]
    border, width, means = max(telling or evidence, key=lambda item: item[0]["accuracy"])
    low, high = border["ci95"]
    evidence_in_words = said(
        "With only a border of {width} pixels visible, {means} still tells the class in {accuracy:.0%} (95% interval "
        "{low:.0%} to {high:.0%}; chance {chance:.0%})",
        width=width, means=means, accuracy=border["accuracy"], low=low, high=high, chance=found["chance"],
    )  # fmt: skip
    sentence = said("{evidence}: much of what can be learned here is not in the lungs.", evidence=evidence_in_words)
    if not telling:
        sentence = said(
            "{evidence}, which is not clearly more than chance. That does not prove that there is no shortcut.",
            evidence=evidence_in_words,
        )
    return {"verdict": "shortcut" if telling else "none found", "sentence": sentence}


def _look(
    table: pd.DataFrame, size: int, cleaning: str, widths: list[int], progress: Progress
) -> tuple[dict[int, np.ndarray], list[np.ndarray | None], np.ndarray]:
    """Return, from one reading of all images: the borders as small grey pictures, float32 (n, SMALL * SMALL) by width;
    the lungs; the pixels of the test images."""
    rows: dict[int, list[np.ndarray]] = {width: [] for width in widths}
    masks: list[np.ndarray | None] = []
    tests = []
    for raw in extract.batches([Path(path) for path in table["path"]], size):
        part = table[len(masks) : len(masks) + len(raw)]
        lungs = lung_masks.of(part, raw)
        pixels = alterations.apply(raw, cleaning)
        for width in widths:
            bordered = alterations.apply(pixels, alterations.border(width))
            rows[width] += [
                cv2.resize(image[..., 0], (SMALL, SMALL), interpolation=cv2.INTER_AREA) for image in bordered
            ]
        masks += lungs
        tests.append(pixels[part["split"] == "test"])
        progress(said("borders, plain pixels"), len(masks), len(table))
    small = {width: np.stack(found).reshape(len(table), -1).astype(np.float32) for width, found in rows.items()}
    return small, masks, np.concatenate(tests)
