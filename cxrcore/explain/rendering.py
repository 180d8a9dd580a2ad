"""Grad-CAM overlays of whole sets of images, one at a time, for files and pages alike."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cxrcore.data.images import ImageError, display
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.explain import methods
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.runs import Run

Drawn = tuple[Path, np.ndarray | ImageError]


def of_tests(run: Run, opacity: float) -> Iterator[Drawn]:
    """Yield (path, picture) of every test image, from the heatmaps kept with the run; needs no TensorFlow.

    A picture is uint8 (H, W, 3): the overlay of the predicted class under its banner. An image that can no
    longer be read gives its `ImageError` instead.
    """
    table, heatmaps, classes = run.predictions("test"), run.heatmaps(), run.about["classes"]
    probabilities = table[probability_columns(classes)].to_numpy()
    for path, answer, maps in zip(table["path"], probabilities, heatmaps, strict=True):
        yield Path(path), _drawn(Path(path), answer, maps, classes, opacity)


def of_files(run: Run, paths: Sequence[Path], opacity: float, method: str = "grad-cam") -> Iterator[Drawn]:
    """Yield the same for any image files and method, explained by the run's saved model; `tutorial` at its layer.

    Raises:
        UserError: no such method.
    """
    from cxrcore.explain.explainer import Classifier

    methods.get(method)
    classifier, tap = Classifier(run), run.config["tap"]
    for path in paths:
        try:
            found = classifier.explain(path, tap, method)
        except ImageError as error:
            yield path, error
        else:
            yield path, _drawn(path, found.probabilities, found.heatmaps, classifier.classes, opacity)


def _drawn(
    path: Path, probabilities: np.ndarray, heatmaps: np.ndarray, classes: Sequence[str], opacity: float
) -> np.ndarray | ImageError:
    best = int(probabilities.argmax())
    try:
        picture = overlay(display(path), heatmaps[best], opacity)
    except ImageError as error:
        return error
    return banner(picture, label_text(classes[best], float(probabilities[best])))
