"""A trained run, ready to answer: probabilities and heatmaps of any image."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cxrcore.data.images import Upload, load
from cxrcore.explain import layers, methods, uncrop
from cxrcore.explain.gradients import GradientModel, HeadGradients, ModelGradients, heatmaps
from cxrcore.explain.layers import FUSED, POOLED
from cxrcore.explain.methods import METHODS
from cxrcore.explain.overlay import enlarge
from cxrcore.explain.perturbation import Progress
from cxrcore.features import image_transforms
from cxrcore.features.keras_setup import keras
from cxrcore.features.predict import forward
from cxrcore.inference import ood
from cxrcore.inference.logit_model import LogitModel
from cxrcore.runs import Run

# From the probabilities of an image to the sums of logits that are explained, float (scores, classes).
Scores = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """`pixels` uint8 (size, size, 3); `probabilities` float32 (classes,); `heatmaps` float32 (scores, h, w),
    a score being a class where none were given. `unlike` is the distance from what was learned from, in limits (see
    `evaluation.novelty`), None for a run that kept nothing to tell; `vector` float32 (c,), the kept map's mean.
    """

    pixels: np.ndarray
    probabilities: np.ndarray
    heatmaps: np.ndarray
    unlike: float | None
    vector: np.ndarray


class Classifier:
    """The model of one run. Calls from several threads take turns, as Keras is not thread-safe."""

    def __init__(self, run: Run) -> None:
        """Load the run's model. Raises `UserError` when the run has none."""
        path = run.model_file
        self.classes: list[str] = run.about["classes"]
        self._taps, self._choices = layers.taps(run.config), layers.choices(run.config)
        self.model = keras.models.load_model(path)
        self.features, self._head = self.model.get_layer("features"), self.model.get_layer("head")
        self.novelty = ood.load(run.folder / ood.FILE)
        self._cleaning = run.config.get("cleaning", "")  # runs of older versions have none
        self.whole = LogitModel(self.model)
        self._lock = threading.Lock()
        self._flow = lru_cache(maxsize=8)(self._make_flow)

    @property
    def size(self) -> int:
        """Input height and width in pixels."""
        return int(self.model.input_shape[1])

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of what the model sees, uint8 (n, size, size, 3)."""
        with self._lock:
            return forward(self.model, pixels)

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """Return what the model sees of images uint8 (n, size, size, 3): the run's cleaning is done to them."""
        return image_transforms.apply(pixels, self._cleaning)

    def explain(
        self,
        source: Path | Upload,
        layer: str,
        method: str = "grad-cam",
        scores: Scores | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Explanation:
        """Return the answer for one image file, explained in its whole frame; see `explain_pixels`.

        Raises:
            ImageError: the image cannot be read.
        """
        raw = load(source, self.size)[None]
        found = self.explain_pixels(self.seen(raw)[0], layer, method, scores, progress)
        if not image_transforms.moves(self._cleaning):
            return found
        boxes = image_transforms.boxes(raw, self._cleaning)
        return replace(found, heatmaps=uncrop.uncropped(found.heatmaps[None], boxes)[0])

    def explain_pixels(
        self,
        pixels: np.ndarray,
        layer: str,
        method: str = "grad-cam",
        scores: Scores | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Explanation:
        """Return the answer for one image, explained at `layer`.

        Args:
            pixels: what the model sees, uint8 (size, size, 3).
            layer: a tap of the backbone, `POOLED`, or `FUSED` for the mean of all taps, each scaled to its maximum; not
                asked of a method with `methods.fixed_layer`.
            method: a key of `METHODS`.
            scores: what is explained, from the probabilities (classes,): see `flow.heatmaps`; None for every class.
            progress: hears of (done, total) for a method that perturbation_fn about many images.
        """
        with self._lock:
            maps = np.asarray(self.features(pixels[None], training=False))
            probabilities = np.asarray(self._head(maps, training=False))[0]
            weights = scores(probabilities) if scores else np.eye(len(probabilities), dtype=np.float32)
            weights = methods.weights(method, weights, probabilities)
            layer = methods.fixed_layer(method, self._choices) or layer
            names = self._taps if layer == FUSED else [layer]
            found = [self._heatmaps(name, pixels, maps, method, weights, progress) for name in names]
        vector = maps.mean(axis=(1, 2))[0]
        unlike = float(self.novelty.distance(vector[None])[0]) if self.novelty else None
        return Explanation(pixels, probabilities, fused(found) if layer == FUSED else found[0], unlike, vector)

    def _heatmaps(
        self,
        layer: str,
        pixels: np.ndarray,
        maps: np.ndarray,
        method: str,
        weights: np.ndarray,
        progress: Progress,
    ) -> np.ndarray:
        inputs = maps if layer in (self._taps[0], POOLED) else pixels[None]
        if perturbation_fn := METHODS[method].perturbation_fn:
            layer_map = self._flow(layer)(inputs)[0][0]
            return np.asarray(perturbation_fn(self.whole, pixels, weights, layer_map, progress))
        return heatmaps(self._flow(layer), inputs, method, weights)[0]

    def _make_flow(self, layer: str) -> GradientModel:
        if layer in (self._taps[0], POOLED):
            return HeadGradients(self._head, pooled=layer == POOLED)
        return ModelGradients(self.model, layer)


def fused(maps: list[np.ndarray]) -> np.ndarray:
    """Return the mean of heatmaps (scores, h, w) of several layers at the largest size, each scaled to its maximum.

    As Jiang et al. 2021 fuse layers, but for their choice of scale.
    """
    height, width = max(found.shape[1:] for found in maps)
    enlarged = [np.stack([enlarge(heatmap, height, width) for heatmap in found]) for found in maps]
    tops = [found.max(axis=(1, 2), keepdims=True) for found in enlarged]
    return np.mean([found / np.maximum(top, 1e-12) for found, top in zip(enlarged, tops, strict=True)], axis=0)
