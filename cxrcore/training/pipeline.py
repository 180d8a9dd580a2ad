"""`run`: the only way a model gets trained."""

import platform
import time
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxrcore import __version__
from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.errors import Stopped, UserError
from cxrcore.evaluation import verdict
from cxrcore.i18n import N_
from cxrcore.messages import msg, plain
from cxrcore.process import heartbeat
from cxrcore.progress import StageProgress
from cxrcore.runs import FAILED, FINISHED, SELECTION, STOPPED, EpochMetrics, Run, RunInfo
from cxrcore.runs.models import DatasetSnapshot
from cxrcore.schema import Stored
from cxrcore.training import other_splits, resampling, run_inputs, training_data
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.run_recorder import HEARTBEAT_FILE, RunRecorder
from cxrcore.training.training_data import TrainingData

if TYPE_CHECKING:
    from cxrcore.training.trained_model import TrainedModel

# The stages of a run and their titles; the last one occurs with folds or repeats only.
STAGES = {
    "starting": N_("Starting: loading the libraries takes some seconds"),
    "reading": N_("Reading the dataset"),
    "weights": N_("Loading the weights"),
    "backbone": N_("Building the backbone"),
    "features": N_("Computing features, once for each image"),
    "larger": N_("Computing features at the larger input size"),
    "selecting": N_("Choosing layers and strength by cross-validation"),
    "training": N_("Training the head"),
    "evaluating": N_("Testing on held-out images"),
    "heatmaps": N_("Computing heatmaps of the test images"),
    "saving": N_("Saving the model"),
    "resampling": N_("Training and testing on the other splits"),
}
STOPPED_EARLY = msg("Stopped before the first epoch, so nothing was trained.")


class TrialResult(Stored):
    """`trial.json`: the validation metrics of a trial at the epoch whose weights were kept; those of the logistic head
    are of its out-of-fold predictions.
    """

    val_loss: float
    val_accuracy: float
    kept_epoch: int
    n_validation: int


def run(
    config: RunConfig,
    folder: Path,
    progress: StageProgress | None = None,
    on_trial_epoch: Callable[[EpochMetrics], None] | None = None,
) -> Run:
    """Train what `config` says and write everything about it into `folder`, which may be new.

    The run can be stopped by a file named `stop` in its folder; it then ends with its best epoch so far, evaluated, or
    with nothing before the first epoch. `progress` is called in this process.

    With `on_trial_epoch` it is a trial: the function is called after every epoch and may end the training by raising
    `Stopped`. The validation metrics are then written to trial.json, and the model is neither tested nor saved.

    Raises:
        UserError: the config does not fit the dataset, weights are missing, or the disk is full.
    """
    result = Run(folder)
    config.write(folder / "config.json")
    recorder = RunRecorder(result, progress, on_trial_epoch)
    try:
        with heartbeat(folder / HEARTBEAT_FILE):
            stopped = _steps(config, result, recorder, trial=on_trial_epoch is not None)
    except Stopped:
        recorder.end(STOPPED, STOPPED_EARLY)
    except UserError as error:
        recorder.end(FAILED, error.message)
        raise
    except BaseException as error:
        recorder.log_error(error)
        recorder.end(FAILED, plain(f"{type(error).__name__}: {error}"))
        raise
    else:
        recorder.end(STOPPED if stopped else FINISHED)
    return result


def _steps(config: RunConfig, result: Run, recorder: RunRecorder, trial: bool) -> bool:
    """Return whether the user stopped the run."""
    start = time.perf_counter()
    read = run_inputs.read(config, recorder)
    config, splits, table = read.config, read.splits, read.table
    config.write(result.folder / "config.json")
    if not trial:
        result.write_table("table.parquet", table)
    _info(read.dataset, read.weights.digest).write(result.folder / "about.json")
    features: Callable[[], Any]
    if config.head == "logistic":

        def features() -> Any:
            return run_inputs.features(result.config, read.weights)
    else:
        recorder.stage("backbone")
        features = cache(partial(run_inputs.features, config, read.weights))
        if not trial and training_data.needs_backbone(config, read.weights.digest, table):
            features()
    inputs = read.activations(recorder, features)
    extracted = time.perf_counter()
    tail = inputs.tail if isinstance(inputs, TrainingData) else None
    initial = tail.get_weights() if tail else []
    trained = _train(config, inputs, splits[0], recorder)
    if trained.selection:
        trained.selection.write(result.folder / SELECTION)
    if trial:
        _write_trial(result, trained, inputs.labels, int((table["split"] == dataset.VALIDATION).sum()))
        return False
    seconds = {"features": extracted - start, "training": time.perf_counter() - extracted}
    resampling.remove_outdated(config, result)
    from cxrcore.training.evaluate_and_save import evaluate_and_save

    evaluate_and_save(result, recorder, inputs, trained, features, seconds)
    stopped = trained.fit.stopped
    if len(splits) > 1 and not stopped:
        try:
            reset = partial(tail.set_weights, initial) if tail else _keep_weights
            other_splits.train(config, result, inputs, splits, recorder, reset)
        except Stopped:
            stopped = True
    total = {"total": time.perf_counter() - start}
    result.results.model_copy(update={"seconds": seconds | total}).write(result.folder / "metrics.json")
    verdict.keep(result)
    return stopped


def compute_features(config: RunConfig, folder: Path) -> None:
    """Compute what is not kept yet of the activations that a run of `config` in `folder` needs.

    Raises:
        UserError: as `run`.
    """
    config.write(folder / "config.json")
    recorder = RunRecorder(Run(folder))
    run_inputs.read(config, recorder).activations(recorder)


def check(config: RunConfig) -> None:
    """Raise `UserError` for what can be known before a run is made: no such dataset, no such split."""
    data = dataset.load(config.dataset, config.dataset_version)
    data.check_key()
    resampling.splits(config, data.usable)


def _train(
    config: RunConfig, inputs: TrainingData | PooledData, parts: pd.Series, recorder: RunRecorder
) -> "TrainedModel":
    from cxrcore.training.train_model import train_model

    if config.head != "logistic":
        recorder.training(config.epochs + (config.tune.epochs if config.tune else 0))
    return train_model(config, inputs, parts, recorder)


def _write_trial(result: Run, trained: "TrainedModel", labels: np.ndarray, n_validation: int) -> None:
    kept = trained.fit.kept_epoch
    best = result.epochs[kept - 1]
    loss, accuracy = best.val_loss, best.val_accuracy
    if found := trained.held_out:
        loss, n_validation = trained.fit.best, len(found.rows)
        accuracy = float((found.probabilities.argmax(axis=1) == labels[found.rows]).mean())
    TrialResult(val_loss=loss, val_accuracy=accuracy, kept_epoch=kept, n_validation=n_validation).write(
        result.folder / "trial.json"
    )


def _keep_weights() -> None:
    """A frozen backbone has its first weights."""


def _info(data: dataset.Dataset, digest: str) -> RunInfo:
    packages = ("tensorflow", "keras", "numpy", "scikit-learn")
    found = {name: version(name) for name in packages}
    return RunInfo(
        classes=data.classes,
        weights_digest=digest,
        dataset=DatasetSnapshot(
            info=data.info, version=data.version, counts=data.counts(), left_out=data.left_out_counts()
        ),
        versions={"python": platform.python_version(), "cxrcore": __version__} | found,
    )
