"""The demo: synthetic X-rays, CXRTiny, and whether Grad-CAM points at the lesions. Needs no network."""

import numpy as np

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.evaluation import intervals
from cxrcore.explain import pointing_game
from cxrcore.inference.labels import class_indices
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, ignore_stages, of_stage
from cxrcore.runs import Run
from cxrcore.training import pipeline


def prepare(progress: StageProgress = ignore_stages) -> dataset.Dataset:
    """Return a phantom dataset with default settings; generate it if there is none yet."""
    for name in dataset.names():
        if (data := dataset.load(name)).info.phantom == phantoms.DEFAULTS:
            return data
    return phantoms.create(dataset.free_name("phantom"), progress=of_stage(progress, "generating X-rays"))


def demo(progress: StageProgress = ignore_stages) -> tuple[Run, Metric]:
    """Train CXRTiny's head on phantoms, by patient; return the run and its pointing game."""
    config = run_config.make(dataset=prepare(progress).name)
    run = pipeline.run(config, runs.create(config).folder, progress)
    return run, lesion_hits(run)


def lesion_hits(run: Run) -> Metric:
    """Return the share of hits of the pointing game among correctly predicted test images with lesions.

    The heatmap is that of the true class; see `explain.pointing_game`.
    """
    table = run.predictions("test")
    masks = dict(enumerate(pointing_game.read_masks(table["lesions"].where(table["correct"], ""))))
    known = {row: mask for row, mask in masks.items() if mask is not None}
    rows = np.array([*known], int)
    heatmaps = run.heatmaps()[rows, class_indices(table["label"], run.classes)[rows]]
    hits = pointing_game.hits(heatmaps, [*known.values()])
    return intervals.proportion(int(hits.sum()), len(rows))
