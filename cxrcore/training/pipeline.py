"""`run`: the only way a model gets trained."""

import hashlib
import platform
import time
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.data import dataset, split
from cxrcore.errors import Stopped, UserError
from cxrcore.features import alterations, backbones, weights
from cxrcore.features.spec import FeatureSpec
from cxrcore.language import said
from cxrcore.runs import FAILED, FINISHED, STOPPED, Run
from cxrcore.training import material, rounds
from cxrcore.training.config import RunConfig
from cxrcore.training.material import Material
from cxrcore.training.recorder import Listener, Recorder

# Those that come once; a design of several rounds ends with the stage `rounds`.
STAGES = ("reading", "weights", "backbone", "features", "training", "evaluating", "saving")


def run(config: RunConfig, folder: Path, listener: Listener | None = None) -> Run:
    """Train what `config` says and leave everything about it in `folder`, which may be new.

    The run can be stopped by a file named `stop` in its folder; it then ends with its best epoch so far,
    evaluated, or with nothing before the first epoch. `listener` hears of the progress in this process.

    Raises:
        UserError: the config does not fit the dataset, weights are missing, or the disk is full.
    """
    result = Run(folder)
    result.write("config.json", config.model_dump(mode="json"))
    recorder = Recorder(result, listener)
    try:
        stopped = _steps(config, result, recorder)
    except Stopped:
        recorder.end(STOPPED, said("Stopped before the first epoch, so nothing was learned."))
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


def _steps(config: RunConfig, result: Run, recorder: Recorder) -> bool:
    start = time.perf_counter()
    recorder.stage("reading")
    data = dataset.load(config.dataset, config.dataset_version)
    result.write("config.json", config.model_dump(mode="json") | {"dataset_version": data.version})
    splits = rounds.splits(config, data.usable)
    table = data.usable.assign(split=splits[0])
    result.write_table("table.parquet", table)
    recorder.stage("weights")
    backbone = backbones.get(config.backbone)
    found = weights.resolve(backbone, config.weights, config.weights_file, config.seed, progress=recorder.progress)
    result.write("about.json", _about(data, found.digest))
    recorder.stage("backbone")
    build = _features_model if config.tune is None else _features_model.__wrapped__  # a tuned one is nobody else's
    features = build(material.spec_of(config, found.digest), found)
    trained = np.any([parts == split.TRAIN for parts in splits], axis=0)
    matter = material.gather(config, table, trained, data.classes, found, features, recorder)
    extracted = time.perf_counter()
    untouched = matter.upper.get_weights() if config.tune else []
    learned = _learn(config, matter, splits[0], recorder)
    seconds = {"features": extracted - start, "training": time.perf_counter() - extracted}
    _finish_first(config, result, recorder, matter, learned, features, seconds)
    stopped = learned.fit.stopped
    if len(splits) > 1 and not stopped:
        try:
            fresh = partial(matter.upper.set_weights, untouched) if config.tune else _nothing
            rounds.run_others(config, result, matter, splits, recorder, fresh)
        except Stopped:
            stopped = True
    seconds["total"] = time.perf_counter() - start
    result.write("metrics.json", result.results | {"seconds": seconds})
    return stopped


def _finish_first(
    config: RunConfig, result: Run, recorder: Recorder, matter: Material, learned: Any, features: Any,
    seconds: dict[str, float],
) -> None:  # fmt: skip
    """Test and save what the first round learned: it is the run's model."""
    recorder.stage("evaluating")
    metrics = _evaluate(result, matter, learned, recorder)
    _novelty(result, matter, config.seed)
    recorder.stage("saving")
    result.forget_checks()
    _save_model(result, features, learned.head)
    if config.tune:
        digest = hashlib.sha256(result.model_file.read_bytes()).hexdigest()
        result.write("about.json", result.about | {"tuned_digest": digest})
    sizes = {f"n_{name}": int((matter.table["split"] == name).sum()) for name in ("train", "validation", "test")}
    kept = {"kept_epoch": learned.fit.kept_epoch, "seconds": seconds | {"total": sum(seconds.values())}}
    result.write("metrics.json", metrics | sizes | kept)
    recorder.tested(metrics)


def check(config: RunConfig) -> None:
    """Raise `UserError` for what can be known before a run is made: no such dataset, no such split."""
    rounds.splits(config, dataset.load(config.dataset, config.dataset_version).usable)


@lru_cache(maxsize=1)
def _features_model(spec: FeatureSpec, found: weights.Weights) -> Any:
    """Return the backbone's model; runs that follow in the same process share it, as it is frozen."""
    return spec.build(found)


def _learn(config: RunConfig, matter: Material, parts: pd.Series, recorder: Recorder) -> Any:
    from cxrcore.training import learning

    recorder.training(config.epochs + (config.tune.epochs if config.tune else 0))
    return learning.learn(config, matter, parts, recorder)


def _evaluate(result: Run, matter: Material, learned: Any, recorder: Recorder) -> dict[str, Any]:
    from cxrcore.evaluation import metrics
    from cxrcore.explain import frames
    from cxrcore.explain.flow import HeadFlow, heatmaps
    from cxrcore.training import learning

    table, maps, classes = matter.table, matter.maps, matter.classes
    rows = np.flatnonzero(table["split"] != split.TRAIN)
    answers = learning.probabilities(learned, matter, rows, recorder)
    predictions = metrics.predictions(table.iloc[rows], answers, classes)
    result.write_table("predictions.parquet", predictions)
    flow, tested = HeadFlow(learned.head), np.flatnonzero(table["split"] == split.TEST)
    explained = [heatmaps(flow, maps.rows(chunk)) for chunk in maps.chunks(tested)]
    kept = np.concatenate(explained)
    if alterations.moves(cleaning := result.config["cleaning"]):
        kept = frames.uncropped(kept, frames.boxes(table.iloc[tested], cleaning))
    result.save_with("heatmaps.npy", lambda path: np.save(path, kept))
    return metrics.evaluate(predictions[predictions["split"] == split.TEST], classes)


def _novelty(result: Run, matter: Material, seed: int) -> None:
    """Keep what tells whether an image is like those that were learned from, and which of them it is most like."""
    from cxrcore.evaluation import novelty
    from cxrcore.explain import neighbours

    table, maps = matter.table, matter.maps
    tested = (table["split"] == split.TEST).to_numpy()
    known = np.flatnonzero(~tested)
    if len(known) > novelty.MOST:
        known = np.sort(np.random.default_rng(seed).choice(known, novelty.MOST, replace=False))
    vectors, others = (
        np.concatenate([maps.rows(chunk).mean(axis=(1, 2)) for chunk in maps.chunks(rows)])
        for rows in (known, np.flatnonzero(tested))
    )
    learned = (table["split"] == split.TRAIN).to_numpy()[known]
    result.save_with(neighbours.FILE, lambda path: neighbours.save(path, known[learned], vectors[learned]))
    found = novelty.fit(vectors, table["patient"].to_numpy()[known], others, seed)
    if found:
        found.save(result.folder / novelty.FILE)


def _nothing() -> None:
    """A frozen backbone is as fresh as ever."""


def _save_model(result: Run, features: Any, head: Any) -> None:
    from cxrcore.training import heads

    result.save_with("model.keras", heads.whole(features, head).save)


def _about(data: dataset.Dataset, digest: str) -> dict[str, Any]:
    packages = ("cxrcore", "tensorflow", "keras", "numpy", "scikit-learn")
    return {
        "classes": data.classes,
        "weights_digest": digest,
        "dataset": data.about | {"counts": data.counts(), "left_out": data.left_out_counts(), "version": data.version},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }
