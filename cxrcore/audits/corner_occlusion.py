"""Corner occlusion: the predictions of a run's model on its test images with one corner blacked out at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.evaluation.intervals import proportion
from cxrcore.features import extract
from cxrcore.i18n import N_
from cxrcore.inference.labels import class_indices
from cxrcore.metric import Metric
from cxrcore.progress import TaskProgress
from cxrcore.runs import Run

PATCH = 0.2  # of the side
CORNERS = {
    N_("top left"): (0, 0),
    N_("top right"): (0, 1),
    N_("bottom left"): (1, 0),
    N_("bottom right"): (1, 1),
}
STAGE = N_("corners")
PASSES = 1 + len(CORNERS)  # through the model, of each image


@dataclass(frozen=True)
class CornerResult:
    """The `accuracy` without a corner, and how many predictions `changed`."""

    accuracy: Metric
    changed: int


def occlude(pixels: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Return images (n, size, size, 3) with the corner in this row and column, 0 or 1 each, in black."""
    size, occluded = pixels.shape[1], pixels.copy()
    side = round(size * PATCH)
    rows, columns = (slice(0, side) if end == 0 else slice(size - side, size) for end in corner)
    occluded[:, rows, columns] = 0
    return occluded


def audit(run: Run, tests: pd.DataFrame, progress: TaskProgress) -> dict[str, CornerResult]:
    """Return the result of each of `CORNERS` for rows of a run's table.

    Raises:
        UserError: the run has no model, or an image is missing.
    """
    from cxrcore.inference.classifier import Classifier

    classifier, done = Classifier(run), 0
    predicted: dict[str, list[np.ndarray]] = {name: [] for name in ["", *CORNERS]}
    for pixels in extract.batches([Path(path) for path in tests["path"]], classifier.size):
        for name, parts in predicted.items():
            occluded = occlude(pixels, CORNERS[name]) if name else pixels
            parts.append(classifier.probabilities(classifier.transform(occluded)).argmax(axis=1))
        done += len(pixels)
        progress(STAGE, done, len(tests))
    true, before = class_indices(tests["label"], run.classes), np.concatenate(predicted.pop(""))
    return {name: _result(np.concatenate(parts), before, true) for name, parts in predicted.items()}


def _result(after: np.ndarray, before: np.ndarray, true: np.ndarray) -> CornerResult:
    return CornerResult(proportion(int((after == true).sum()), len(true)), int((after != before).sum()))
