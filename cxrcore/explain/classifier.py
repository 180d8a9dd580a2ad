"""A trained run, ready to answer: probabilities and heatmaps of any image."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cxrcore.data.images import Upload, load
from cxrcore.explain.gradcam import HeadCam, PixelCam
from cxrcore.explain.layers import POOLED
from cxrcore.features import extract
from cxrcore.features.keras_setup import keras
from cxrcore.runs import Run


@dataclass(frozen=True)
class Explanation:
    """`pixels` uint8 (size, size, 3); `probabilities` float32 (classes,); `heatmaps` float32 (classes, h, w)."""

    pixels: np.ndarray
    probabilities: np.ndarray
    heatmaps: np.ndarray


class Classifier:
    """The model of one run. Calls from several threads take turns, as Keras is not thread-safe."""

    def __init__(self, run: Run) -> None:
        """Load the run's model. Raises `UserError` when the run has none."""
        path = run.model_file
        self.classes: list[str] = run.about["classes"]
        self._tap: str = run.config["tap"]
        self.model = keras.models.load_model(path)
        self._features, self._head = self.model.get_layer("features"), self.model.get_layer("head")
        self._lock = threading.Lock()
        self._cam = lru_cache(maxsize=4)(self._make_cam)

    @property
    def size(self) -> int:
        """Input height and width in pixels."""
        return int(self.model.input_shape[1])

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of raw pixels uint8 (n, size, size, 3)."""
        with self._lock:
            return np.concatenate(
                [
                    extract.forward(self.model, pixels[start : start + extract.BATCH])
                    for start in range(0, len(pixels), extract.BATCH)
                ]
            )

    def explain(self, source: Path | Upload, layer: str) -> Explanation:
        """Return the answer for one image file, explained at `layer`: a tap of the backbone, or `POOLED`.

        Raises:
            ImageError: the image cannot be read.
        """
        pixels = load(source, self.size)
        probabilities = self.probabilities(pixels[None])[0]
        with self._lock:
            return Explanation(pixels, probabilities, self._cam(layer)(pixels[None])[0])

    def _make_cam(self, layer: str) -> Any:
        if layer not in (self._tap, POOLED):
            return PixelCam(self.model, layer)
        cam = HeadCam(self._head, pooled=layer == POOLED)
        return lambda pixels: cam(extract.forward(self._features, pixels))
