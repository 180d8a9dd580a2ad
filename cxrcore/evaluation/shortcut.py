"""Does it cheat? How well the class can be told without the lungs, and how well the source can be told.

DeGrave et al. 2021 (doi:10.1038/s42256-021-00338-7) and Maguolo & Nanni 2020 (arXiv:2004.12823) found that
classifiers of COVID-19 tell hospitals apart by what surrounds the lungs; the second by blacking out the centre of
each image, as is done here. The head is learned anew, as a linear one, on the features of the altered images, and
cross-validated by patient: the question is what this backbone offers a head on these images.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.evaluation import probe
from cxrcore.features import alterations, backbones, extract, weights
from cxrcore.features.spec import FeatureSpec
from cxrcore.language import said
from cxrcore.runs import Run

# Border widths as shares of the side: 10, 20 and 30 pixels of 237.
WIDTHS = (10 / 237, 20 / 237, 30 / 237)
# What a border may tell by accident, above the share of the largest class, before it counts as a shortcut.
MARGIN = 0.05
SMALL = 32  # side of the pictures for the plain look
Progress = Callable[[str, int, int], None]


def audit(run: Run, progress: Progress | None = None) -> dict[str, Any]:
    """Return the audit of a run's images and backbone, and keep it with the run.

    `chance` is the share of the largest class; `full`, `border` (by width in pixels) and `source` each have
    `accuracy`, `ci95` and `n`, from the features of the run's backbone; `source` is None when there is one source.
    `border_pixels` is the same from plain pixels: a mark that this backbone happens to overlook is in the images all
    the same, for the next backbone to use. `verdict` is `shortcut` or `none found`, `sentence` says why.

    Raises:
        UserError: weights or images are gone.
    """
    settings.require_writable()
    progress = progress or (lambda stage, done, total: None)
    table, size = run.table, run.config["size"]
    widths = [round(size * share) for share in WIDTHS]
    full = _features(run, table, "", progress)
    pixels = _pixels(table, size, widths, progress)
    labels = table["label"]
    found: dict[str, Any] = {
        "chance": float(labels.value_counts(normalize=True).max()),
        "full": _measure(full, labels, table),
        "border": {
            str(width): _measure(_features(run, table, alterations.border(width), progress), labels, table)
            for width in widths
        },
        "border_pixels": {str(width): _measure(pixels[width], labels, table) for width in widths},
        "source": _measure(full, table["source"], table) if table["source"].nunique() > 1 else None,
    }
    found |= _verdict(found)
    run.write("shortcut.json", found)
    return found


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


def _measure(vectors: np.ndarray, labels: pd.Series, table: pd.DataFrame) -> dict[str, Any]:
    found = probe.accuracy(vectors, list(labels), list(table["patient"]))
    return {"accuracy": found["value"], "ci95": found["ci95"], "n": found["n"]}


def _features(run: Run, table: pd.DataFrame, alteration: str, progress: Progress) -> np.ndarray:
    """Return the pooled features of all images after `alteration`, float32 (n, c)."""
    config, backbone = run.config, backbones.get(run.config["backbone"])
    found = weights.resolve(backbone, config["weights"], config["weights_file"], config["seed"])
    mode = "unit" if config["preprocessing"] == "unit" else backbone.preprocessing
    spec = FeatureSpec(backbone.key, found.digest, config["size"], mode, config["tap"], True, alteration)
    name = said("features, {what}", what=alteration or said("whole image"))
    hooks = extract.Hooks(progress=lambda done, total: progress(name, done, total))
    return extract.activations(table, spec, lambda: spec.build(found), hooks).rows(range(len(table)))[:, 0, 0]


def _pixels(table: pd.DataFrame, size: int, widths: list[int], progress: Progress) -> dict[int, np.ndarray]:
    """Return the borders of all images as small grey pictures, float32 (n, SMALL * SMALL) by width."""
    rows: dict[int, list[np.ndarray]] = {width: [] for width in widths}
    done = 0
    for pixels in extract.batches([Path(path) for path in table["path"]], size):
        for width in widths:
            altered = alterations.apply(pixels, alterations.border(width))
            rows[width] += [
                cv2.resize(image[..., 0], (SMALL, SMALL), interpolation=cv2.INTER_AREA) for image in altered
            ]
        done += len(pixels)
        progress(said("borders, plain pixels"), done, len(table))
    return {width: np.stack(found).reshape(len(table), -1).astype(np.float32) for width, found in rows.items()}
