"""Explanations by runs whose models stay loaded in this process; importing the module needs no TensorFlow."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxrcore.data.images import Upload, load
from cxrcore.explain import layers
from cxrcore.explain.explanation import ClassScore, Explanation
from cxrcore.progress import Progress, ignore
from cxrcore.runs import Run

if TYPE_CHECKING:  # it imports TensorFlow
    from cxrcore.explain.explainer import Explainer

MOST = 2  # runs whose models stay loaded: two can be compared


def prepare(run: Run, progress: Progress = ignore) -> None:
    """Load the model of a run and explain a black image, so that the first explanation takes as long as any other.

    Raises:
        UserError: the run has no model.
    """
    explainer = _explainer(run)
    size = explainer.classifier.size
    explainer.explain_pixels(np.zeros((size, size, 3), np.uint8), layers.choices(run.config)[0], progress=progress)


def explain(
    run: Run, source: Path | np.ndarray, layer: str, method: str, score: ClassScore, progress: Progress = ignore
) -> Explanation:
    """Return the explanation of an image file or of its pixels, one heatmap for `score`; see `Explainer.explain`.

    Raises:
        UserError: the run has no model.
        ImageError: the image cannot be read.
    """
    explainer = _explainer(run)
    classes = explainer.classifier.classes
    return explainer.explain(source, layer, method, lambda found: score.weights(found, classes), progress)


@dataclass(frozen=True)
class Prediction:
    """`probabilities` float32 (classes,), and the out-of-distribution score, None for a run without a detector."""

    probabilities: np.ndarray
    ood_score: float | None


def predict(run: Run, source: Path | Upload, progress: Progress = ignore) -> Prediction:
    """Return the prediction of a run for an image file.

    Raises:
        UserError: the run has no model.
        ImageError: the image cannot be read.
    """
    classifier = _explainer(run).classifier
    maps = classifier.feature_maps(classifier.transform(load(source, classifier.size)[None]))
    score = classifier.ood_score(classifier.vectors(maps))
    return Prediction(classifier.head_probabilities(maps)[0], None if score is None else float(score[0]))


def _explainer(run: Run) -> "Explainer":
    return _loaded(run, run.model_file.stat().st_mtime)


@lru_cache(maxsize=MOST)
def _loaded(run: Run, modified: float) -> "Explainer":
    """Return the explainer of a run; `modified` is the time of its model's file."""
    from cxrcore.explain.explainer import Explainer
    from cxrcore.inference.classifier import Classifier

    return Explainer(Classifier(run), run.config)
