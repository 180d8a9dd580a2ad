"""`python -m benchmarks.recommended DATASET... [--backbones xception ...]`: Recommended in 5 folds by patient.

Beside it, on the same folds: the former default (global average pooling and a linear layer, trained by gradient
descent), and scikit-learn's best of a grid search by patient inside the training part, logistic regression and RBF
support vector machine, on the features that the preset chose. Also a logistic regression on random Fourier features
(Rahimi & Recht 2007), which approximates the second. The datasets are imported before, in `CXR_HOME`.
"""

import argparse
import json
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset, split
from cxrcore.evaluation import intervals, probability_metrics
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.inference.labels import class_indices
from cxrcore.runs import Run
from cxrcore.training import pipeline, resampling
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.selection import Candidate

FOLDS = 5
STRENGTHS = np.logspace(-6, 1, 8)  # C of the logistic regression
OLD = {"head": "gap"}


def main() -> None:
    """Print a line for each dataset and backbone, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommended")
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--backbones", nargs="+", default=["mobilenetv2", "xception", "vgg16"])
    parser.add_argument("--without", nargs="*", default=[], help="parts to leave out: old, scikit-learn, fourier")
    arguments = parser.parse_args()
    found = []
    for backbone in arguments.backbones:
        for name in arguments.datasets:
            row = measure(name, backbone, arguments.without)
            found.append(row)
            print(json.dumps(row), flush=True)
    print(json.dumps(found))


def measure(name: str, backbone: str, without: list[str]) -> dict[str, Any]:
    """Return accuracies and calibration errors of one dataset and backbone."""
    ours, seconds = trained(name, backbone, {})
    selection = ours.selection
    assert selection is not None
    row: dict[str, Any] = {
        "dataset": name,
        "backbone": backbone,
        "recommended": pooled(ours) | {"seconds": seconds, "chosen": [selection.size, selection.tap, selection.l2]},
    }
    if "old" not in without:
        old, seconds = trained(name, backbone, OLD)
        row["old default"] = pooled(old) | {"seconds": seconds}
    if "scikit-learn" not in without or "fourier" not in without:
        vectors, labels, patients, parts = features(ours)
        grids = scikit_learn() if "scikit-learn" not in without else {}
        if "fourier" not in without:
            grids |= fourier(vectors.shape[1])
        for title, (model, grid) in grids.items():
            right = searched(model, grid, vectors, labels, patients, parts)
            accuracy = intervals.proportion(int(right.sum()), len(right))
            row[title] = {"accuracy": accuracy.value, "interval": [accuracy.low, accuracy.high]}
    return row


def trained(name: str, backbone: str, values: dict[str, Any]) -> tuple[Run, float]:
    """Return a finished run of 5 folds and its seconds."""
    config = run_config.make(dataset=name, backbone=backbone, resampling={"folds": FOLDS}, **values)
    start = perf_counter()
    run = pipeline.run(config, runs.create(config).folder)
    return run, perf_counter() - start


def pooled(run: Run) -> dict[str, Any]:
    """Return accuracy, Brier score and expected calibration error of all out-of-fold predictions."""
    table: pd.DataFrame = run.read_table("resampling.parquet")
    classes = run.classes
    true = class_indices(table["label"], classes)
    probabilities = table[probability_columns(classes)].to_numpy(float)
    accuracy = intervals.proportion(int((probabilities.argmax(axis=1) == true).sum()), len(table))
    ones = np.ones((1, len(table)))
    return {
        "accuracy": accuracy.value,
        "interval": [accuracy.low, accuracy.high],
        "ece": float(probability_metrics.ece(true, probabilities, ones)[0]),
        "brier": float(probability_metrics.brier(true, probabilities, ones)[0]),
    }


def features(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[pd.Series]]:
    """Return the features that the run chose, labels, patients, and the parts of each fold."""
    config = run.config
    table = dataset.load(config.dataset).usable
    parts = resampling.splits(run.requested, table)
    trained_on = np.ones(len(table), bool)
    data = PooledData(config, table, trained_on, run.classes, config.resolve(), RunRecorder(run))
    vectors = data.vectors(Candidate(config.size, config.tap), np.arange(len(table)))
    return vectors, data.labels, table["patient"].to_numpy(str), parts


def scikit_learn() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return the models and their grids."""
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    machine = make_pipeline(StandardScaler(), SVC())
    return {
        "logistic regression": (logistic, {"logisticregression__C": STRENGTHS}),
        "RBF support vector machine": (
            machine,
            {"svc__C": [0.1, 1, 10, 100], "svc__gamma": ["scale", 1e-5, 1e-4, 1e-3]},
        ),
    }


def fourier(width: int) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return logistic regression on random Fourier features of vectors of this width."""
    model = make_pipeline(
        StandardScaler(), RBFSampler(n_components=1000, random_state=0), LogisticRegression(max_iter=5000)
    )
    gammas = [scale / width for scale in (0.03, 0.1, 0.3, 1)]
    return {
        "random Fourier features": (model, {"rbfsampler__gamma": gammas, "logisticregression__C": [0.1, 1, 10, 100]})
    }


def searched(
    model: Any,
    grid: dict[str, Any],
    vectors: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    parts: list[pd.Series],
) -> np.ndarray:
    """Return whether each image is predicted correctly in its fold by the best of a grid search, boolean (n,)."""
    right = np.zeros(len(labels), bool)
    with threadpool_limits(1, "blas"):
        for each in parts:
            known, tested = (np.flatnonzero(mask) for mask in (each != dataset.TEST, each == dataset.TEST))
            inner = split.folds([str(label) for label in labels[known]], list(patients[known]), 5, 1)
            search = GridSearchCV(model, grid, cv=PredefinedSplit(inner))
            search.fit(vectors[known], labels[known])
            right[tested] = search.predict(vectors[tested]) == labels[tested]
    return right


if __name__ == "__main__":
    main()
