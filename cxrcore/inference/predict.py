"""Predictions of a run's saved model from image files."""

from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.features import extract
from cxrcore.runs import Run


def probabilities(run: Run, rows: pd.DataFrame, callbacks: extract.ExtractionCallbacks | None = None) -> np.ndarray:
    """Return the probabilities, float32 (n, classes), of the images in `rows` (`path` and `sha256`).

    Raises:
        UserError: the run has no model, or an image is missing or has changed.
    """
    from cxrcore.inference.classifier import Classifier  # imports TensorFlow, which only computing needs

    callbacks = callbacks or extract.ExtractionCallbacks()
    classifier, outputs, done = Classifier(run), [], 0
    for pixels in extract.batches([Path(path) for path in rows["path"]], classifier.size, list(rows["sha256"])):
        callbacks.check()
        outputs.append(classifier.probabilities(classifier.transform(pixels)))
        done += len(pixels)
        callbacks.progress(done, len(rows))
    return np.concatenate(outputs)
