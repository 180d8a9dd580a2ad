"""The tutorials' training with cxrcore: one pass through the backbone, then the head alone."""

import shutil
from pathlib import Path
from time import perf_counter

import numpy as np

from cxrcore import runs, settings
from cxrcore.config import run_config
from cxrcore.features import weights
from cxrcore.features.store import Store
from cxrcore.inference import saved_model
from cxrcore.runs import Run
from cxrcore.training import pipeline


def forget() -> None:
    """Remove what a first run leaves for a second: cached features, the backbone in memory, the weights' digest."""
    shutil.rmtree(settings.features_folder(), ignore_errors=True)
    saved_model.shared_features.cache_clear()
    weights.known_digests.clear()


def run_seconds(dataset: str, **values: float) -> tuple[float, Run]:
    """Return the seconds of one whole run of the tutorial preset on Xception, and the run.

    Everything counts: features that are missing, 80 epochs, test, Grad-CAM of the test images, the saved model.
    """
    config = run_config.make("tutorial", dataset=dataset, backbone="xception", **values)
    start = perf_counter()
    run = pipeline.run(config, runs.create(config).folder)
    return perf_counter() - start, run


def forward_seconds(run: Run) -> float:
    """Return the seconds of the bare forward pass of a run's images through its backbone, which is built and has
    computed once, with their pixels in memory.
    """
    from cxrcore.features import extract, openvino
    from cxrcore.features.predict import predict_stream

    weights = run.config.resolve()
    key = run.config.key(weights.digest)
    model = openvino.compiled(saved_model.shared_features(key, weights), key.engine)
    pixels = list(extract.batches([Path(path) for path in run.table["path"]], key.size))
    for _ in predict_stream(model, pixels[:2]):
        pass
    start = perf_counter()
    for _ in predict_stream(model, pixels):
        pass
    return perf_counter() - start


def gradcam_from_pixels_seconds(run: Run) -> float:
    """Return the seconds of the same from image files: one pass of the backbone, then the head's gradient.

    The model has answered once before, as on a page that is open; the first answer takes 1 to 2 s more.
    """
    from cxrcore.explain.gradients import HeadGradients, heatmaps
    from cxrcore.features import extract
    from cxrcore.features.predict import predict

    model, tests = saved_model.load(run), run.predictions("test")
    flow, features = HeadGradients(model.get_layer("head"), pooled=True), model.get_layer("features")
    predict(features, np.zeros((extract.BATCH, *features.input_shape[1:]), np.uint8))
    start = perf_counter()
    for pixels in extract.batches([Path(path) for path in tests["path"]], run.config.size):
        heatmaps(flow, predict(features, pixels))
    return perf_counter() - start


def gradcam_seconds(run: Run) -> float:
    """Return the seconds of Grad-CAM over the run's test images, for all classes, from cached features."""
    from cxrcore.explain.gradients import HeadGradients, heatmaps

    head = saved_model.load_head(run)
    table = run.table
    key = run.config.key(run.info.weights_digest)
    start = perf_counter()
    tested = np.flatnonzero(table["split"] == "test")
    maps = Store(key).read(list(table["sha256"])).rows(tested)
    heatmaps(HeadGradients(head, pooled=True), maps)
    return perf_counter() - start
