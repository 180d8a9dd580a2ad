"""`run`: the only way a model gets trained."""

import platform
import time
from collections.abc import Callable
from functools import cache, lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset, split
from cxrcore.errors import Stopped, UserError
from cxrcore.features import backbones, weights
from cxrcore.features.config import FeatureSpec
from cxrcore.i18n import N_
from cxrcore.runs import FAILED, FINISHED, STOPPED, Run
from cxrcore.training import evaluate_and_save, resampling, training_data
from cxrcore.training.callbacks import Epoch
from cxrcore.training.run_recorder import Listener, RunRecorder
from cxrcore.training.training_data import TrainingData

# Those that come once; a design of several rounds ends with the stage `rounds`.
STAGES = ("reading", "weights", "backbone", "features", "training", "evaluating", "saving")


def run(
    config: RunConfig, folder: Path, listener: Listener | None = None, watch: Callable[[Epoch], None] | None = None
) -> Run:
    """Train what `config` says and leave everything about it in `folder`, which may be new.

    The run can be stopped by a file named `stop` in its folder; it then ends with its best epoch so far,
    evaluated, or with nothing before the first epoch. `listener` hears of the progress in this process.

    With `watch` it is a trial: `watch` hears of every epoch and may end the learning by raising `Stopped`; what was
    learned is then written to trial.json, its loss and accuracy in validation, and neither tested nor saved.

    Raises:
        UserError: the config does not fit the dataset, weights are missing, or the disk is full.
    """
    result = Run(folder)
    result.write("config.json", config.model_dump(mode="json"))
    recorder = RunRecorder(result, listener, watch)
    try:
        stopped = _steps(config, result, recorder, trial=watch is not None)
    except Stopped:
        recorder.end(STOPPED, N_("Stopped before the first epoch, so nothing was learned."))
    except UserError as error:
        recorder.end(FAILED, str(error))
        raise
    except BaseException as error:
        recorder.log_error()
        recorder.end(FAILED, f"{type(error).__name__}: {error}")
        raise
    else:
        recorder.end(STOPPED if stopped else FINISHED)
    return result


def _steps(config: RunConfig, result: Run, recorder: RunRecorder, trial: bool) -> bool:
    start = time.perf_counter()
    recorder.stage("reading")
    data = dataset.load(config.dataset, config.dataset_version)
    result.write("config.json", config.model_dump(mode="json") | {"dataset_version": data.version})
    splits = resampling.splits(config, data.usable)
    table = data.usable.assign(split=splits[0])
    if not trial:
        result.write_table("table.parquet", table)
    recorder.stage("weights")
    backbone = backbones.get(config.backbone)
    found = weights.resolve(backbone, config.weights, config.weights_file, config.seed, recorder.download_progress)
    result.write("about.json", _about(data, found.digest))
    recorder.stage("backbone")
    build = _features_model if config.tune is None else _features_model.__wrapped__  # a tuned one is nobody else's
    features = cache(partial(build, training_data.spec_of(config, found.digest), found))
    if not trial:
        features()
    trained = np.any([parts == split.TRAIN for parts in splits], axis=0)
    matter = training_data.build_training_data(config, table, trained, data.classes, found, features, recorder)
    extracted = time.perf_counter()
    untouched = matter.upper.get_weights() if config.tune else []
    learned = _learn(config, matter, splits[0], recorder)
    if trial:
        best = result.epochs[learned.fit.kept_epoch - 1]
        numbers = {name: best[name] for name in ("val_loss", "val_accuracy")}
        count = int((table["split"] == split.VALIDATION).sum())
        result.write("trial.json", numbers | {"kept_epoch": learned.fit.kept_epoch, "n_validation": count})
        return False
    seconds = {"features": extracted - start, "training": time.perf_counter() - extracted}
    resampling.forget_others(config, result)
    evaluate_and_save.finish(config, result, recorder, matter, learned, features(), seconds)
    stopped = learned.fit.stopped
    if len(splits) > 1 and not stopped:
        try:
            fresh = partial(matter.upper.set_weights, untouched) if config.tune else _nothing
            resampling.run_others(config, result, matter, splits, recorder, fresh)
        except Stopped:
            stopped = True
    seconds["total"] = time.perf_counter() - start
    result.write("metrics.json", result.results | {"seconds": seconds})
    return stopped


def check(config: RunConfig) -> None:
    """Raise `UserError` for what can be known before a run is made: no such dataset, no such split."""
    resampling.splits(config, dataset.load(config.dataset, config.dataset_version).usable)


@lru_cache(maxsize=1)
def _features_model(spec: FeatureSpec, found: weights.Weights) -> Any:
    """Return the backbone's model; runs that follow in the same process share it, as it is frozen."""
    return spec.build(found)


def _learn(config: RunConfig, matter: TrainingData, parts: pd.Series, recorder: RunRecorder) -> Any:
    from cxrcore.training import train_model

    recorder.training(config.epochs + (config.tune.epochs if config.tune else 0))
    return train_model.learn(config, matter, parts, recorder)


def _nothing() -> None:
    """A frozen backbone is as fresh as ever."""


def _about(data: dataset.Dataset, digest: str) -> dict[str, Any]:
    packages = ("cxrcore", "tensorflow", "keras", "numpy", "scikit-learn")
    return {
        "classes": data.classes,
        "weights_digest": digest,
        "dataset": data.about | {"counts": data.counts(), "left_out": data.left_out_counts(), "version": data.version},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }
