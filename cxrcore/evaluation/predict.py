"""A saved model's answers for images on disk."""

from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.evaluation import metrics
from cxrcore.explain.classifier import Classifier
from cxrcore.features import extract
from cxrcore.runs import Run


def evaluate(run: Run, hooks: extract.Hooks | None = None) -> tuple[pd.DataFrame, dict]:
    """Return predictions and metrics of a run's test images, from its saved model and their raw pixels.

    Raises:
        UserError: the run has no model.
    """
    hooks = hooks or extract.Hooks()
    classifier = Classifier(run)
    rows = run.predictions("test")
    probabilities = []
    for pixels in extract.batches([Path(path) for path in rows["path"]], classifier.size):
        hooks.check()
        probabilities.append(classifier.probabilities(pixels))
        hooks.progress(sum(map(len, probabilities)), len(rows))
    table = metrics.predictions(rows, np.concatenate(probabilities), classifier.classes)
    return table, metrics.evaluate(table, classifier.classes)
