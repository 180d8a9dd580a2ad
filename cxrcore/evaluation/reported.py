"""The test predictions that stand for a run: those of all folds of k-fold cross-validation, else those of its model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrcore.evaluation import metrics
from cxrcore.inference.labels import class_indices
from cxrcore.messages import Message, msg
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import Run

NO_HEATMAP = -1


@dataclass(frozen=True)
class ReportedResult:
    """Test predictions of a run.

    Attributes:
        table: a prediction table; `heatmap` is the row of an image in the run's heatmaps, `NO_HEATMAP` where none was
            kept, as of images that the saved model was not tested on. With `pooled` also `fold`, from 1.
        pooled: whether the table has every image that was tested in any fold, predicted by the model of its fold.
    """

    table: pd.DataFrame
    pooled: bool


def can_pool(run: Run) -> bool:
    """Return whether folds of the run can be pooled: k-fold tests an image once, repeats test it often or never."""
    found = run.averaged
    return found is not None and found.kind == "kfold"


def load(run: Run, pooled: bool = True) -> ReportedResult:
    """Return the pooled predictions of a k-fold run; without `pooled`, and of other runs, those of the saved model."""
    if pooled and can_pool(run):
        table = run.resampled_predictions().rename(columns={"number": "fold"})
        first = table["fold"].to_numpy() == 1
        return ReportedResult(table.assign(heatmap=np.where(first, np.cumsum(first) - 1, NO_HEATMAP)), True)
    table = run.predictions("test")
    return ReportedResult(table.assign(heatmap=np.arange(len(table))), False)


def evaluate(run: Run, result: ReportedResult) -> ClassificationMetrics:
    """Return the metrics of a result of the run; of pooled folds with intervals by patient."""
    if result.pooled:
        return metrics.evaluate(result.table, run.classes, by_patient=True)
    return metrics.complete(run.results.test, result.table)


def confusion(run: Run) -> list[list[int]]:
    """Return the confusion matrix (C, C) of the run's reported predictions, rows true and columns predicted."""
    if not can_pool(run):
        return run.results.test.confusion
    table, classes = load(run).table, run.classes
    matrix = np.zeros((len(classes), len(classes)), int)
    np.add.at(matrix, (class_indices(table["label"], classes), class_indices(table["predicted"], classes)), 1)
    found: list[list[int]] = matrix.tolist()
    return found


def basis(run: Run, pooled: bool = True) -> Message | None:
    """Return what the metrics are of, beside the mean over folds or repeats; None for a single split."""
    found = run.averaged
    if not found:
        return None
    if found.kind == "repeated":
        return msg(
            "Apart from the mean, all results are those of the first repeat, whose model is saved. Repeats are not "
            "pooled, as they test an image several times or never."
        )
    if not pooled:
        return msg("Apart from the mean, all results are those of the first fold, whose model is saved.")
    return msg(
        "Apart from the mean, all results are pooled over {n} folds: every image is predicted once, by the model "
        "that was trained without its fold. The saved model and the heatmaps are those of the first fold.",
        n=len(found.done),
    )
