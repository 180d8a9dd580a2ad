"""What comes after learning: the test, the heatmaps, what tells new images apart, and the saved model."""

import shutil
from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.data import split
from cxrcore.features import image_transforms
from cxrcore.runs import Run
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.training_data import TrainingData


def finish(
    config: RunConfig, result: Run, recorder: RunRecorder, matter: TrainingData, learned: Any, features: Any,
    seconds: dict[str, float],
) -> None:  # fmt: skip
    """Test and save what the first round learned: it is the run's model."""
    recorder.stage("evaluating")
    # A run that goes on has old results: killed half-way, it is to have none rather than a mixture.
    (result.folder / "metrics.json").unlink(missing_ok=True)
    metrics = _evaluate(result, matter, learned, recorder)
    _novelty(result, matter, config.seed)
    recorder.stage("saving")
    _forget_checks(result)
    _save_model(result, features, learned.head)
    sizes = {f"n_{name}": int((matter.table["split"] == name).sum()) for name in ("train", "validation", "test")}
    kept = {"kept_epoch": learned.fit.kept_epoch, "seconds": seconds | {"total": sum(seconds.values())}}
    result.write("metrics.json", metrics | sizes | kept)
    recorder.tested(metrics)


def _evaluate(result: Run, matter: TrainingData, learned: Any, recorder: RunRecorder) -> dict[str, Any]:
    from cxrcore.evaluation import metrics
    from cxrcore.explain import uncrop
    from cxrcore.explain.gradients import HeadGradients, heatmaps
    from cxrcore.training import train_model

    table, maps, classes = matter.table, matter.maps, matter.classes
    rows = np.flatnonzero(table["split"] != split.TRAIN)
    answers = train_model.probabilities(learned, matter, rows, recorder)
    predictions = metrics.predictions(table.iloc[rows], answers, classes)
    result.write_table("predictions.parquet", predictions)
    flow, tested = HeadGradients(learned.head), np.flatnonzero(table["split"] == split.TEST)
    explained = [heatmaps(flow, maps.rows(chunk)) for chunk in maps.chunks(tested)]
    kept = np.concatenate(explained)
    if image_transforms.moves(cleaning := result.config["cleaning"]):
        kept = uncrop.uncropped(kept, uncrop.boxes(table.iloc[tested], cleaning))
    result.save_with("heatmaps.npy", lambda path: np.save(path, kept))
    return metrics.evaluate(predictions[predictions["split"] == split.TEST], classes)


def _novelty(result: Run, matter: TrainingData, seed: int) -> None:
    """Keep what tells whether an image is like those that were learned from, and which of them it is most like."""
    from cxrcore.inference import ood, similar_images

    table, maps = matter.table, matter.maps
    tested = (table["split"] == split.TEST).to_numpy()
    known = np.flatnonzero(~tested)
    if len(known) > ood.MOST:
        known = np.sort(np.random.default_rng(seed).choice(known, ood.MOST, replace=False))
    vectors, others = (
        np.concatenate([maps.rows(chunk).mean(axis=(1, 2)) for chunk in maps.chunks(rows)])
        for rows in (known, np.flatnonzero(tested))
    )
    learned = (table["split"] == split.TRAIN).to_numpy()[known]
    result.save_with(similar_images.FILE, lambda path: similar_images.save(path, known[learned], vectors[learned]))
    found = ood.fit(vectors, table["patient"].to_numpy()[known], others, seed)
    if found:
        found.save(result.folder / ood.FILE)


def _save_model(result: Run, features: Any, head: Any) -> None:
    from cxrcore.training import heads

    result.save_with("model.keras", heads.whole(features, head).save)


def _forget_checks(result: Run) -> None:
    """Remove what was measured on a model that another one now replaces."""
    for name in ("shortcut.json", "remedies.json", "faithfulness.json"):
        (result.folder / name).unlink(missing_ok=True)
    shutil.rmtree(result.folder / "evaluations", ignore_errors=True)
