"""`run`: the only way a model gets trained."""

import platform
import time
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.data import dataset, split
from cxrcore.errors import Stopped, UserError
from cxrcore.features import alterations, backbones, extract, lungs, weights
from cxrcore.features.spec import FeatureSpec
from cxrcore.features.store import Activations
from cxrcore.language import said
from cxrcore.runs import FAILED, FINISHED, STOPPED, Run
from cxrcore.training.config import RunConfig
from cxrcore.training.recorder import Listener, Recorder

STAGES = ("reading", "weights", "backbone", "features", "training", "evaluating", "saving")


def run(config: RunConfig, folder: Path, listener: Listener | None = None) -> Run:
    """Train what `config` says and leave everything about it in `folder`, which may be new.

    The run can be stopped by a file named `stop` in its folder; it then ends with its best epoch so far,
    evaluated, or with nothing before the first epoch. `listener` hears of the progress in this process.

    Raises:
        UserError: the config does not fit the dataset, weights are missing, or the disk is full.
    """
    result = Run(folder)
    recorder = Recorder(result, listener)
    result.write("config.json", config.model_dump(mode="json"))
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
    table = data.usable.assign(split=parts(config, data.usable))
    result.write_table("table.parquet", table)
    recorder.stage("weights")
    backbone = backbones.get(config.backbone)
    found = weights.resolve(backbone, config.weights, config.weights_file, config.seed, progress=recorder.progress)
    spec = FeatureSpec(
        backbone.key, found.digest, config.size, config.preprocessing_mode, config.tap,
        alteration=config.cleaning, lungs=lungs.digest() if alterations.needs_lungs(config.cleaning) else "",
    )  # fmt: skip
    result.write("about.json", _about(data, found.digest))
    recorder.stage("backbone")
    features = _features_model(spec, found)
    recorder.stage("features", len(table))
    maps = extract.activations(table, spec, lambda: features, extract.Hooks(recorder.progress, recorder.check))
    extracted = time.perf_counter()
    head, kept, stopped = _train(config, table, maps, data.classes, recorder)
    trained = time.perf_counter()
    recorder.stage("evaluating")
    metrics = _evaluate(result, table, maps, head, data.classes)
    _novelty(result, table, maps, config.seed)
    recorder.stage("saving")
    _save_model(result, features, head)
    seconds = {"features": extracted - start, "training": trained - extracted}
    seconds["total"] = time.perf_counter() - start
    sizes = {f"n_{name}": int((table["split"] == name).sum()) for name in ("train", "validation", "test")}
    result.write("metrics.json", metrics | sizes | {"kept_epoch": kept, "seconds": seconds})
    return stopped


def check(config: RunConfig) -> None:
    """Raise `UserError` for what can be known before a run is made: no such dataset, no such split."""
    parts(config, dataset.load(config.dataset, config.dataset_version).usable)


def parts(config: RunConfig, table: pd.DataFrame) -> pd.Series:
    """Return the part of each row as the config's split says."""
    chosen = config.split
    if chosen.kind == "given":
        return split.given(table, chosen.validation, chosen.seed)
    by = split.by_patient if chosen.kind == "patient" else split.tutorial
    return by(table, chosen.test, chosen.validation, chosen.seed)


@lru_cache(maxsize=1)
def _features_model(spec: FeatureSpec, found: weights.Weights) -> Any:
    """Return the backbone's model; runs that follow in the same process share it, as it is frozen."""
    return spec.build(found)


def _train(
    config: RunConfig, table: pd.DataFrame, maps: Activations, classes: list[str], recorder: Recorder
) -> tuple[Any, int, bool]:
    from cxrcore.features.keras_setup import keras
    from cxrcore.training import fit, heads
    from cxrcore.training.source import Vectors

    recorder.stage("training", config.epochs)
    keras.utils.set_random_seed(config.seed)
    head = heads.build(config.head, maps.map_shape, len(classes), config.dropout)
    labels = table["label"].map({name: number for number, name in enumerate(classes)}).to_numpy()
    train, validation = (
        Vectors(maps, np.flatnonzero(table["split"] == part), labels, head.get_layer("stem"), config.batch_size)
        for part in (split.TRAIN, split.VALIDATION)
    )
    heads.standardise(head, train)
    outcome = fit.fit(
        head.get_layer("body"),
        train,
        validation,
        config,
        on_epoch=lambda epoch: recorder.epoch(epoch, config.epochs),
        check=recorder.check,
    )
    return head, outcome.kept_epoch, outcome.stopped


def _evaluate(result: Run, table: pd.DataFrame, maps: Activations, head: Any, classes: list[str]) -> dict[str, Any]:
    from cxrcore.evaluation import metrics
    from cxrcore.explain import frames
    from cxrcore.explain.flow import HeadFlow, heatmaps

    rows = np.flatnonzero(table["split"] != split.TRAIN)
    answers = [np.asarray(head(maps.rows(chunk), training=False)) for chunk in maps.chunks(rows)]
    probabilities = np.concatenate(answers)
    predictions = metrics.predictions(table.iloc[rows], probabilities, classes)
    result.write_table("predictions.parquet", predictions)
    flow, tested = HeadFlow(head), np.flatnonzero(table["split"] == split.TEST)
    explained = [heatmaps(flow, maps.rows(chunk)) for chunk in maps.chunks(tested)]
    kept = np.concatenate(explained)
    if alterations.moves(cleaning := result.config["cleaning"]):
        kept = frames.uncropped(kept, frames.boxes(table.iloc[tested], cleaning))
    result.save_with("heatmaps.npy", lambda path: np.save(path, kept))
    return metrics.evaluate(predictions[predictions["split"] == split.TEST], classes)


def _novelty(result: Run, table: pd.DataFrame, maps: Activations, seed: int) -> None:
    """Keep what tells whether an image is like those that were learned from, and which of them it is most like."""
    from cxrcore.evaluation import novelty
    from cxrcore.explain import neighbours

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
