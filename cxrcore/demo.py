"""The demonstration: phantoms, CXRTiny, and whether Grad-CAM points at the lesions. Needs no network."""

from typing import Any

import numpy as np

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.explain import pointing_game
from cxrcore.runs import Run
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import Listener


def prepare(listener: Listener | None = None) -> dataset.Dataset:
    """Return a phantom dataset as `phantoms.create` draws it by default; draw it if it is not there yet."""
    for name in dataset.names():
        if (data := dataset.load(name)).about.get("phantom") == phantoms.DEFAULTS:
            return data
    progress = (lambda done, total: listener("drawing phantoms", done, total)) if listener else None
    return phantoms.create(dataset.free_name("phantom"), progress=progress)


def demo(listener: Listener | None = None) -> tuple[Run, dict[str, Any]]:
    """Train CXRTiny's head on phantoms, by patient; return the run and its pointing game."""
    chosen = run_config.make(dataset=prepare(listener).name)
    run = pipeline.run(chosen, runs.create(chosen.model_dump(mode="json")).folder, listener)
    return run, pointing_game_of(run)


def pointing_game_of(run: Run) -> dict[str, Any]:
    """Return the share of hits among the test images with lesions that were predicted right.

    The heatmap is that of the true class; see `explain.pointing`. The value is a `metrics.proportion`.
    """
    from cxrcore.evaluation.metrics import proportion

    table, classes = run.predictions("test"), run.about["classes"]
    rows = np.flatnonzero((table["lesions"] != "") & table["correct"])
    labels = table["label"].map({name: number for number, name in enumerate(classes)}).to_numpy()
    heatmaps = run.heatmaps()[rows, labels[rows]]
    hits = pointing_game.hits(heatmaps, pointing_game.read_masks(list(table["lesions"].iloc[rows])))
    return proportion(int(hits.sum()), len(rows))
