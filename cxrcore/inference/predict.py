"""Asking a run's saved model, from raw pixels: what anyone who is given `model.keras` gets."""

from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.evaluation import metrics
from cxrcore.features import extract
from cxrcore.runs import Run


def evaluate(run: Run, hooks: extract.Hooks | None = None) -> tuple[pd.DataFrame, dict]:
    """Return predictions and metrics of a run's test images.

    Raises:
        UserError: the run has no model, or an image is gone or another one.
    """
    rows, classes = run.predictions("test"), run.about["classes"]
    table = metrics.predictions(rows, probabilities(run, rows, hooks or extract.Hooks()), classes)
    return table, metrics.evaluate(table, classes)


def probabilities(run: Run, rows: pd.DataFrame, hooks: extract.Hooks) -> np.ndarray:
    """Return the probabilities, float32 (n, classes), of the images in `rows` (`path` and `sha256`).

    Raises:
        UserError: the run has no model, or an image is gone or another one.
    """
    from cxrcore.explain.explainer import Classifier  # only what computes imports TensorFlow

    classifier, answers = Classifier(run), []
    for pixels in extract.batches([Path(path) for path in rows["path"]], classifier.size, list(rows["sha256"])):
        hooks.check()
        answers.append(classifier.probabilities(classifier.seen(pixels)))
        hooks.progress(sum(map(len, answers)), len(rows))
    return np.concatenate(answers)
