"""After training: the test, the heatmaps, the out-of-distribution detector and the saved model."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.features import graph, image_transforms
from cxrcore.inference import saved_model
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import Run, RunMetrics
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.trained_model import TrainedModel
from cxrcore.training.training_data import TrainingData

# What was measured on a model that another one replaces.
_MEASUREMENTS = ("shortcut.json", "mitigations.json", "remedies.json", "faithfulness.json")


def evaluate_and_save(
    run: Run,
    recorder: RunRecorder,
    data: TrainingData | PooledData,
    trained: TrainedModel,
    features: Callable[[], Any],
    seconds: dict[str, float],
) -> None:
    """Test and save what was trained on the first split: it is the run's model.

    `features` returns the backbone's model; it is called only where that is saved with the head.
    """
    config = run.config
    recorder.stage("evaluating")
    # A continued run has old results: killed in between, it is to have none rather than a mixture.
    (run.folder / "metrics.json").unlink(missing_ok=True)
    metrics = _evaluate(config, run, data, trained, recorder)
    _save_ood_detector(config, run, data, trained)
    recorder.stage("saving")
    for name in _MEASUREMENTS:
        (run.folder / name).unlink(missing_ok=True)
    shutil.rmtree(run.folder / "evaluations", ignore_errors=True)
    saved_model.save(run, features, trained.head)
    n_train, n_validation, n_test = (int((data.table["split"] == part).sum()) for part in dataset.PARTS)
    RunMetrics(
        test=metrics,
        n_train=n_train,
        n_validation=len(trained.held_out.rows) if trained.held_out else n_validation,
        n_test=n_test,
        kept_epoch=trained.fit.kept_epoch,
        seconds=seconds | {"total": sum(seconds.values())},
    ).write(run.folder / "metrics.json")
    recorder.on_test_end(metrics)


def _evaluate(
    config: RunConfig, run: Run, data: TrainingData | PooledData, trained: TrainedModel, recorder: RunRecorder
) -> ClassificationMetrics:
    from cxrcore.evaluation import metrics
    from cxrcore.training import train_model

    table, classes = data.table, data.classes
    rows = np.flatnonzero(table["split"] != dataset.TRAIN)
    probabilities = train_model.probabilities(trained, rows, recorder)
    predictions = metrics.predictions(table.iloc[rows], probabilities, classes)
    if held_out := trained.held_out:
        images = table.iloc[held_out.rows].assign(split=dataset.VALIDATION)
        others = metrics.predictions(images, held_out.probabilities, classes)
        predictions = pd.concat([predictions, others], ignore_index=True)
    run.write_table("predictions.parquet", predictions)
    run.save_with("heatmaps.npy", partial(_save_heatmaps, config, data, trained, recorder))
    return metrics.evaluate(predictions[predictions["split"] == dataset.TEST], classes)


def _save_heatmaps(
    config: RunConfig, data: TrainingData | PooledData, trained: TrainedModel, recorder: RunRecorder, path: Path
) -> None:
    """Write Grad-CAM of the test images, float32 (n, classes, h, w), part by part."""
    from cxrcore.explain import uncrop
    from cxrcore.explain.gradients import HeadGradients, heatmaps

    tested = np.flatnonzero(data.table["split"] == dataset.TEST)
    maps, rows = trained.maps, tested
    if trained.whole_maps:
        recorder.stage("heatmaps", len(tested))
        maps, rows = trained.whole_maps(tested), np.arange(len(tested))
    gradients, done = HeadGradients(trained.head), 0
    with path.open("wb") as file:
        for chunk in maps.chunks(rows):
            found = heatmaps(gradients, maps.rows(chunk))
            if image_transforms.changes_frame(config.image_transform):
                images = data.table.iloc[tested[done : done + len(chunk)]]
                found = uncrop.uncrop(found, uncrop.boxes(images, config.image_transform, config.size))
            if not done:
                shape = (len(tested), *found.shape[1:])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(found, "<f4").data)
            done += len(chunk)


def _save_ood_detector(config: RunConfig, run: Run, data: TrainingData | PooledData, trained: TrainedModel) -> None:
    """Save the out-of-distribution detector, and the features of training images to find similar ones."""
    from cxrcore.inference import ood, similar_images

    table, maps = data.table, trained.maps
    tested = (table["split"] == dataset.TEST).to_numpy()
    known = np.flatnonzero(~tested)
    if len(known) > ood.MOST:
        known = np.sort(np.random.default_rng(config.seed).choice(known, ood.MOST, replace=False))
    known_parts, others = (
        (graph.descriptor(maps.rows(chunk), trained.last_channels) for chunk in maps.chunks(rows))
        for rows in (known, np.flatnonzero(tested))
    )
    vectors = np.concatenate([*known_parts])
    in_training = (table["split"] == dataset.TRAIN).to_numpy()[known]
    run.save_with(similar_images.FILE, lambda path: similar_images.save(path, known[in_training], vectors[in_training]))
    detector = ood.fit(vectors, table["patient"].to_numpy()[known], others, config.seed)
    if detector:
        detector.save(run.folder / ood.FILE)
