"""Training and testing on the other folds or repeats of a run, in its process or on the workers of a cluster."""

import shutil
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrcore import cluster, settings
from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.errors import Stopped
from cxrcore.evaluation import metrics
from cxrcore.runs import Run
from cxrcore.runs.run import RESAMPLING, RESAMPLING_TABLE
from cxrcore.settings import Executor
from cxrcore.training import resampling, run_inputs
from cxrcore.training.callbacks import Callback
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.run_recorder import PAUSE_FILE, STOP_FILE, RunRecorder
from cxrcore.training.training_data import TrainingData

_FOLDER = "splits"  # of what workers write about their work, while they do it
_SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class _Tested:
    """The predictions of the test part of a split, the first of which is 1."""

    number: int
    table: pd.DataFrame


@dataclass(frozen=True)
class _Task:
    """A split of a run."""

    run: Run
    number: int


def train(
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
    recorder.stage("resampling", len(splits))
    tables = {1: run.predictions(dataset.TEST)} | _finished(run)
    _write(run, config, tables, splits, data)
    recorder.progress(len(tables), len(splits))
    missing = [number for number in range(1, len(splits) + 1) if number not in tables]

    def in_this_process() -> Generator[_Tested]:
        for number in missing:
            reset()
            yield _Tested(number, _tested(config, data, splits[number - 1], _StopAndPause(recorder)))

    if settings.executor() is Executor.DASK:
        found = cluster.results(_train_split, [_Task(run, number) for number in missing], recorder.check)
    else:
        found = in_this_process()
    with closing(found) as all_tested:
        for tested in all_tested:
            tables[tested.number] = tested.table
            _write(run, config, tables, splits, data)
            recorder.progress(len(tables), len(splits))
    shutil.rmtree(run.folder / _FOLDER, ignore_errors=True)


def _train_split(task: _Task) -> _Tested:
    """Train and test one split on a worker. The run's activations are kept already, and its other files are not
    touched.
    """
    folder, config = task.run.folder / _FOLDER / str(task.number), task.run.requested
    config.write(folder / "config.json")
    recorder = RunRecorder(Run(folder))
    read = run_inputs.read(config, recorder)
    data = read.activations(recorder)
    parts = read.splits[task.number - 1]
    return _Tested(task.number, _tested(read.config, data, parts, _StopAndPauseOnWorker(task.run)))


def _tested(config: RunConfig, data: TrainingData | PooledData, parts: pd.Series, callback: Callback) -> pd.DataFrame:
    """Return the predictions of the test part of a split."""
    from cxrcore.training import train_model

    trained = train_model.train_model(config, data, parts, callback)
    if trained.fit.stopped:
        callback.check()
    tested = np.flatnonzero(parts == dataset.TEST)
    probabilities = train_model.probabilities(trained, tested, callback)
    return metrics.predictions(data.table.iloc[tested].assign(split=dataset.TEST), probabilities, data.classes)


class _StopAndPause(Callback):
    """Passes on only the requests to stop and to pause, which is all that a later fold or repeat takes."""

    def __init__(self, recorder: RunRecorder) -> None:
        self._recorder = recorder

    def check(self) -> None:
        self._recorder.check()

    def wait(self) -> None:
        self._recorder.wait()


class _StopAndPauseOnWorker(Callback):
    """The same in a process that does not write the status of the run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def check(self) -> None:
        self.wait()
        if self._is_stopped():
            raise Stopped

    def wait(self) -> None:
        while (self._run.folder / PAUSE_FILE).exists() and not self._is_stopped():
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _is_stopped(self) -> bool:
        return (self._run.folder / STOP_FILE).exists() or not cluster.is_wanted()


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
    resampling.summary(config, found, ratio).write(run.folder / RESAMPLING)
