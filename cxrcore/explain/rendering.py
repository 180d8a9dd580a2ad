"""Heatmap overlays of many images, one at a time, for files and pages alike."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cxrcore.data.classes import label
from cxrcore.data.errors import ImageError
from cxrcore.data.images import display
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.explain import methods
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.runs import Run

Rendered = tuple[Path, np.ndarray | ImageError]


def test_images(run: Run, opacity: float, most: int | None = None) -> Iterator[Rendered]:
    """Yield (path, picture) of the test images, of the first `most`, from the heatmaps kept with the run; needs no
    TensorFlow.

    A picture is uint8 (H, W, 3): the overlay of the predicted class under a banner. An image that can no longer be
    read yields its `ImageError` instead.
    """
    table, heatmaps, classes = run.predictions("test")[:most], run.heatmaps()[:most], run.classes
    probabilities = table[probability_columns(classes)].to_numpy()
    for path, answer, maps in zip(table["path"], probabilities, heatmaps, strict=True):
        yield Path(path), _rendered(Path(path), answer, maps, classes, opacity)


def image_files(run: Run, paths: Sequence[Path], opacity: float, method: str = "grad-cam") -> Iterator[Rendered]:
    """Yield the same for any image files and method, explained by the run's saved model.

    Raises:
        UserError: no such method, or the run has no model.
    """
    from cxrcore.explain.explainer import Explainer
    from cxrcore.inference.classifier import Classifier

    methods.get(method)
    config, classifier = run.config, Classifier(run)
    explainer = Explainer(classifier, config)
    for path in paths:
        try:
            found = explainer.explain(path, config.tap, method)
        except ImageError as error:
            yield path, error
        else:
            yield path, _rendered(path, found.probabilities, found.heatmaps, classifier.classes, opacity)


def _rendered(
    path: Path, probabilities: np.ndarray, heatmaps: np.ndarray, classes: Sequence[str], opacity: float
) -> np.ndarray | ImageError:
    best = int(probabilities.argmax())
    try:
        picture = overlay(display(path), heatmaps[best], opacity)
    except ImageError as error:
        return error
    return banner(picture, label_text(label(classes[best]), float(probabilities[best])))
