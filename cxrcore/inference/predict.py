"""Predictions of a run's saved model from image files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxrcore.features import extract
from cxrcore.runs import Run

if TYPE_CHECKING:
    from cxrcore.inference.classifier import Classifier


def probabilities(run: Run, rows: pd.DataFrame, callbacks: extract.ExtractionCallbacks | None = None) -> np.ndarray:
    """Return the probabilities, float32 (n, classes), of the images in `rows` (`path` and `sha256`).

    Raises:
        UserError: the run has no model, or an image is missing or has changed.
    """
    classifier = _classifier(run)
    return np.concatenate([classifier.probabilities(pixels) for pixels in _inputs(classifier, rows, callbacks)])


def probabilities_and_ood_scores(
    run: Run, rows: pd.DataFrame, callbacks: extract.ExtractionCallbacks | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the same probabilities and the out-of-distribution scores (n,), None for a run without a detector.

    Each image passes the backbone once.

    Raises:
        UserError: the run has no model, or an image is missing or has changed.
    """
    classifier = _classifier(run)
    outputs, vectors = [], []
    for pixels in _inputs(classifier, rows, callbacks):
        maps = classifier.feature_maps(pixels)
        outputs.append(classifier.head_probabilities(maps))
        vectors.append(classifier.vectors(maps))
    return np.concatenate(outputs), classifier.ood_score(np.concatenate(vectors))


def _classifier(run: Run) -> "Classifier":
    from cxrcore.inference.classifier import Classifier  # imports TensorFlow, which only computing needs

    return Classifier(run)


def _inputs(
    classifier: "Classifier", rows: pd.DataFrame, callbacks: extract.ExtractionCallbacks | None
) -> Iterator[np.ndarray]:
    """Yield batches of the model's input; progress is reported after each."""
    callbacks, done = callbacks or extract.ExtractionCallbacks(), 0
    for pixels in extract.batches([Path(path) for path in rows["path"]], classifier.size, list(rows["sha256"])):
        callbacks.check()
        yield classifier.transform(pixels)
        done += len(pixels)
        callbacks.progress(done, len(rows))
