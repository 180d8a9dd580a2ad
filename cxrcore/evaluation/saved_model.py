"""The saved model of a run, tested again from the image files: what anyone gets who is given `model.keras`."""

import pandas as pd

from cxrcore.evaluation import metrics
from cxrcore.features import extract
from cxrcore.inference import predict
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import Run


def evaluate(
    run: Run, callbacks: extract.ExtractionCallbacks | None = None
) -> tuple[pd.DataFrame, ClassificationMetrics]:
    """Return the prediction table and the metrics of a run's test images.

    Raises:
        UserError: the run has no model, or an image is missing or has changed.
    """
    rows = run.predictions("test")
    table = metrics.predictions(rows, predict.probabilities(run, rows, callbacks), run.classes)
    return table, metrics.evaluate(table, run.classes)
