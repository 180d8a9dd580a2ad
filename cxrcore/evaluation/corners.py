"""Which corner decides? The run's own model on its test images, with one corner blacked out at a time."""

from typing import Any

import numpy as np

from cxrcore.evaluation import intervals
from cxrcore.evaluation.altered import Progress
from cxrcore.language import said
from cxrcore.runs import Run

PATCH = 0.2  # of the side
CORNERS = {
    said("top left"): (0, 0), said("top right"): (0, 1), said("bottom left"): (1, 0), said("bottom right"): (1, 1),
}  # fmt: skip


def occlude(pixels: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """Return images (n, size, size, 3) with the corner in row and column `place`, 0 or 1 each, in black."""
    size, altered = pixels.shape[1], pixels.copy()
    side = round(size * PATCH)
    rows, columns = (slice(0, side) if end == 0 else slice(size - side, size) for end in place)
    altered[:, rows, columns] = 0
    return altered


def audit(run: Run, pixels: np.ndarray, true: np.ndarray, progress: Progress) -> dict[str, dict[str, Any]]:
    """Return for each corner `accuracy` without it, its `ci95` (Wilson), `n`, and the share of answers that `changed`.

    Args:
        run: whose model is asked.
        pixels: of its test images, uint8 (n, size, size, 3), as the model sees them.
        true: their classes as numbers, int (n,).
        progress: hears how far it is.
    """
    from cxrcore.explain.classifier import Classifier

    classifier = Classifier(run)
    before = classifier.probabilities(pixels).argmax(axis=1)
    found = {}
    for done, (name, place) in enumerate(CORNERS.items(), 1):
        after = classifier.probabilities(occlude(pixels, place)).argmax(axis=1)
        right = int((after == true).sum())
        found[name] = {
            "accuracy": right / len(true),
            "ci95": list(intervals.wilson(right, len(true))),
            "n": len(true),
            "changed": float((after != before).mean()),
        }
        progress(said("corners"), done, len(CORNERS))
    return found
