"""Folds and repeats: the same config trained and tested on other splits of the same images."""

from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset, split
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.runs import ResamplingResult, Run
from cxrcore.runs.run import RESAMPLING

_AVERAGED = ("accuracy", "balanced_accuracy", "macro_f1")


def splits(config: RunConfig, table: pd.DataFrame) -> list[pd.Series]:
    """Return the part of each row of `table` in every fold or repeat; raise `UserError` where one cannot be made.

    The logistic head has no validation part: it is validated by cross-validation inside the training part.
    """
    found = [_parts(config, table, number) for number in range(config.resampling.count)]
    if config.head == "logistic":
        return [parts.replace(dataset.VALIDATION, dataset.TRAIN) for parts in found]
    return found


def _parts(config: RunConfig, table: pd.DataFrame, number: int) -> pd.Series:
    chosen, resampling = config.split, config.resampling
    if chosen.kind == "given":
        return split.given(table, chosen.validation, chosen.seed)
    if resampling.folds:
        images = chosen.kind == "tutorial"
        return split.fold(table, number, resampling.folds, chosen.validation, chosen.seed, images)
    by = split.by_patient if chosen.kind == "patient" else split.tutorial
    return by(table, chosen.test, chosen.validation, chosen.seed + number)


def remove_outdated(config: RunConfig, run: Run) -> None:
    """Remove the results of folds or repeats of other settings, as of a run that is continued for more epochs."""
    found = run.resampling
    if found and not _same_settings(found.settings, config):
        run.resampling_file(RESAMPLING).unlink()


def _same_settings(stored: dict[str, Any], config: RunConfig) -> bool:
    """Tell whether stored settings are those of the config; a setting that was added since had its default."""
    try:
        return _settings(run_config.validated(stored)) == _settings(config)
    except UserError:
        return False


def _settings(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"dataset_version", "tensorboard"})


def summary(config: RunConfig, found: list[ClassificationMetrics], ratio: float) -> ResamplingResult:
    """Return the result of the folds or repeats done so far.

    `ratio` is the number of test images over that of training images, which the interval needs (see
    `intervals.of_resampling`).
    """
    means = {}
    for name in _AVERAGED:
        values = [value for row in found if (value := getattr(row, name).value) is not None]
        if values:
            low, high = intervals.of_resampling(values, ratio) or (None, None)
            means[name] = Metric(float(np.mean(values)), low, high, sum(row.n for row in found))
    return ResamplingResult(
        kind="kfold" if config.resampling.folds else "repeated",
        planned=config.resampling.count,
        done=[row.accuracy for row in found],
        mean=means,
        settings=_settings(config),
    )
