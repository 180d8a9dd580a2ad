"""Folds and repeats: the same config trained and tested on other splits of the same images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset, split
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals, metrics
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.runs import ResamplingResult, Run
from cxrcore.runs.run import RESAMPLING, RESAMPLING_TABLE
from cxrcore.training.callbacks import Callback
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.training_data import TrainingData

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


def run_others(
    config: RunConfig,
    run: Run,
    data: TrainingData | PooledData,
    splits: list[pd.Series],
    recorder: RunRecorder,
    reset: Callable[[], None],
) -> None:
    """Train and test folds or repeats 2 and on; every finished one is kept at once, and a continued run skips it.

    `reset` gives a fine-tuned backbone its first weights back.
    """
    from cxrcore.training import train_model

    recorder.stage("resampling", len(splits))
    tables = {1: run.predictions(dataset.TEST)} | _finished(run)
    _write(run, config, tables, splits, data)
    recorder.progress(len(tables), len(splits))
    for number, parts in enumerate(splits, start=1):
        if number in tables:
            continue
        reset()
        trained = train_model.train_model(config, data, parts, _StopAndPause(recorder))
        if trained.fit.stopped:
            recorder.check()
        tested = np.flatnonzero(parts == dataset.TEST)
        probabilities = train_model.probabilities(trained, tested, recorder)
        rows = data.table.iloc[tested].assign(split=dataset.TEST)
        tables[number] = metrics.predictions(rows, probabilities, data.classes)
        _write(run, config, tables, splits, data)
        recorder.progress(len(tables), len(splits))


class _StopAndPause(Callback):
    """Passes on only the requests to stop and to pause, which is all that a later fold or repeat takes."""

    def __init__(self, recorder: RunRecorder) -> None:
        self._recorder = recorder

    def check(self) -> None:
        self._recorder.check()


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


def _finished(run: Run) -> dict[int, pd.DataFrame]:
    """Return the later folds or repeats that a continued run has finished already."""
    if not run.resampling:
        return {}
    table = run.resampled_predictions()
    return {int(str(number)): part.drop(columns="number") for number, part in table.groupby("number") if number != 1}


def _write(
    run: Run,
    config: RunConfig,
    tables: dict[int, pd.DataFrame],
    splits: list[pd.Series],
    data: TrainingData | PooledData,
) -> None:
    joined = pd.concat([table.assign(number=number) for number, table in sorted(tables.items())], ignore_index=True)
    run.write_table(RESAMPLING_TABLE, joined)
    found = [metrics.evaluate(table, data.classes) for _, table in sorted(tables.items())]
    ratio = float(np.mean([(parts == dataset.TEST).sum() / (parts == dataset.TRAIN).sum() for parts in splits]))
    summary(config, found, ratio).write(run.folder / RESAMPLING)


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
