"""Which corner decides? The run's own model on its test images, with one corner blacked out at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.audits.masked_probe import Progress
from cxrcore.evaluation import intervals
from cxrcore.features import extract
from cxrcore.i18n import N_
from cxrcore.runs import Run

PATCH = 0.2  # of the side
CORNERS = {
    N_("top left"): (0, 0), N_("top right"): (0, 1), N_("bottom left"): (1, 0), N_("bottom right"): (1, 1),
}  # fmt: skip


def occlude(pixels: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """Return images (n, size, size, 3) with the corner in row and column `place`, 0 or 1 each, in black."""
    size, altered = pixels.shape[1], pixels.copy()
    side = round(size * PATCH)
    rows, columns = (slice(0, side) if end == 0 else slice(size - side, size) for end in place)
    altered[:, rows, columns] = 0
    return altered


def audit(run: Run, tests: pd.DataFrame, progress: Progress) -> dict[str, dict[str, Any]]:
    """Return for each corner `accuracy` without it, its `ci95` (Wilson), `n`, and how many answers `changed`.

    Args:
        run: whose model is asked.
        tests: the rows of its table to ask about.
        progress: hears how far it is.

    Raises:
        UserError: the run has no model, or an image is gone.
    """
    from cxrcore.explain.explainer import Classifier

    classifier = Classifier(run)
    true = tests["label"].map(run.about["classes"].index).to_numpy()
    answers: dict[str, list[np.ndarray]] = {name: [] for name in ["", *CORNERS]}
    done = 0
    for pixels in extract.batches([Path(path) for path in tests["path"]], classifier.size):
        for name, found in answers.items():
            shown = occlude(pixels, CORNERS[name]) if name else pixels
            found.append(classifier.probabilities(classifier.seen(shown)).argmax(axis=1))
        done += len(pixels)
        progress(N_("corners"), done, len(tests))
    before = np.concatenate(answers.pop(""))
    return {name: _row(np.concatenate(found), before, true) for name, found in answers.items()}


def _row(after: np.ndarray, before: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    right, n = int((after == true).sum()), len(true)
    ci95 = list(intervals.wilson(right, n))
    return {"accuracy": right / n, "ci95": ci95, "n": n, "changed": int((after != before).sum())}
