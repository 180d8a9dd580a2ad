"""A dataset and a finished run with given classes and a given confusion matrix, made without training."""

import os

import numpy as np
import pandas as pd
from PIL import Image

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.data.info import DatasetInfo
from cxrcore.data.staging import publish, staging
from cxrcore.evaluation import metrics
from cxrcore.files import append_line
from cxrcore.runs import EVENTS, EpochMetrics, RunInfo, RunMetrics
from cxrcore.runs.models import DatasetSnapshot
from cxrcore.runs.run import RESAMPLING, RESAMPLING_TABLE
from cxrcore.training import resampling

SURE = 0.8  # the probability of the predicted class

NASTY = [
    "<script>alert(1)</script>",
    "=1+1",
    "a/b",
    "التهاب رئوي " * 4 + "التهاب رئوي0",  # 60 characters
    "🫁",
    "p_x",
    "**bold** $x$ :red[x]",
    "{name} 100%",
    "a|b",
    "__init__",
]


def names(count):
    """Return `count` class names, the nasty ones first."""
    # Names that a page uses for "no choice" are names like any other.
    return [*NASTY, "any", "none", "all", *(f"Finding {k}" for k in range(len(NASTY) + 3, count))][:count]


def confusion(count, correct=3, next_class=1):
    """Return a matrix: of each class some are correct, and some are predicted as the class after it."""
    matrix = np.eye(count, dtype=int) * correct
    matrix[np.arange(count), (np.arange(count) + 1) % count] += next_class
    return matrix


def make(classes, matrix, name="made", positive="", picture=None, sources=("=a", "=b"), stem=""):
    """Return a finished run of the dataset `name`; every test image is `picture` and of a patient of its own. Images
    are of two sources and have the names `stem` with a number.
    """
    cells = [(true, predicted) for true, row in enumerate(matrix) for predicted, n in enumerate(row) for _ in range(n)]
    true, predicted = np.array(cells).T
    count = len(true)
    with staging() as folder:
        first = folder / f"{stem}0.png"
        Image.fromarray(np.full((40, 50), 90, np.uint8) if picture is None else picture).save(first)
        for number in range(1, count):
            os.link(first, folder / f"{stem}{number}.png")
        rows = pd.DataFrame(
            {
                "path": [f"{stem}{number}.png" for number in range(count)],
                "sha256": [f"{number:064x}" for number in range(count)],
                "label": [classes[k] for k in true],
                "patient": [f"p{number}" for number in range(count)],
                "source": [sources[number % 2] for number in range(count)],
                "finding": [classes[k] for k in true],
            }
        )
        data = publish(folder, name, rows, DatasetInfo(classes=list(classes), positive=positive), replace=False)
    probabilities = np.full((count, len(classes)), (1 - SURE) / (len(classes) - 1), np.float32)
    probabilities[np.arange(count), predicted] = SURE
    rows = dataset.load(name).usable.assign(split="test")
    tested = metrics.predictions(rows, probabilities, classes)
    run = runs.create(run_config.make(dataset=name, head="gap"))
    run.write_table("table.parquet", rows)
    run.write_table("predictions.parquet", pd.concat([tested, tested.assign(split="validation")], ignore_index=True))
    heatmaps = np.random.default_rng(0).random((count, len(classes), 2, 2), dtype=np.float32)
    run.save_with("heatmaps.npy", lambda path: np.save(path, heatmaps))
    (run.folder / runs.HEAD_FILE).touch()
    RunMetrics(
        test=metrics.evaluate(tested, classes),
        n_train=0,
        n_validation=count,
        n_test=count,
        kept_epoch=1,
        seconds={"total": 1.0},
    ).write(run.folder / "metrics.json")
    snapshot = DatasetSnapshot(info=data.info, counts=data.counts())
    RunInfo(classes=list(classes), weights_digest="", dataset=snapshot).write(run.folder / "about.json")
    run.status.model_copy(update={"state": runs.FINISHED}).write(run.folder / "status.json")
    values = {"loss": 1, "accuracy": 0.5, "val_loss": 1, "val_accuracy": 0.5, "learning_rate": 1e-3, "seconds": 1}
    for number in (1, 2):
        append_line(run.folder / EVENTS, EpochMetrics(epoch=number, **values).model_dump())
    return run


def fold(run, kind, correct):
    """Make a run one with folds or repeats (`kind`), and return it. The first is its own test; each of `correct` is
    another, on copies of the same images of other patients, of which so many are correct.
    """
    first, classes = run.predictions("test"), run.classes
    tables = [first]
    for number, hits in enumerate(correct, start=2):
        table = first.assign(
            patient=first["patient"] + f" of {number}", sha256=[f"{number}{sha}" for sha in first["sha256"]]
        )
        predicted = [
            label if k < hits else next(name for name in classes if name != label)
            for k, label in enumerate(table["label"])
        ]
        probabilities = (np.array(classes) == np.array(predicted)[:, None]) * 0.6 + 0.4 / len(classes)
        tables.append(metrics.predictions(table.assign(split="test"), probabilities, classes))
    numbered = [table.assign(number=number) for number, table in enumerate(tables, start=1)]
    run.write_table(RESAMPLING_TABLE, pd.concat(numbered, ignore_index=True))
    count = max(2, len(tables))
    config = run_config.make(
        dataset=run.config.dataset, head="gap", resampling={"folds" if kind == "kfold" else "repeats": count}
    )
    config.write(run.folder / "config.json")
    found = resampling.summary(config, [metrics.evaluate(table, classes) for table in tables], 1 / count)
    found.write(run.folder / RESAMPLING)
    return run
