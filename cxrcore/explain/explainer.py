"""Predictions and heatmaps of any image by a trained run."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.data.images import load
from cxrcore.explain import layers, methods, uncrop
from cxrcore.explain.explanation import Explanation
from cxrcore.explain.gradients import GradientModel, HeadGradients, ModelGradients, heatmaps
from cxrcore.explain.layers import FUSED, POOLED
from cxrcore.explain.methods import METHODS
from cxrcore.explain.overlay import resize
from cxrcore.features import image_transforms
from cxrcore.inference.classifier import Classifier
from cxrcore.progress import Progress, ignore

# From the probabilities of an image (classes,) to the sums of logits that are explained, float (scores, classes).
Scores = Callable[[np.ndarray], np.ndarray]


class Explainer:
    """Explains images by the model of one run; its methods can be called from several threads."""

    def __init__(self, classifier: Classifier, config: RunConfig) -> None:
        self.classifier = classifier
        self._own, self._taps, self._choices = config.tap, layers.single_taps(config), layers.choices(config)
        self._gradient_model = lru_cache(maxsize=8)(self._make_gradient_model)

    def explain(
        self,
        source: Path | np.ndarray,
        layer: str,
        method: str = "grad-cam",
        scores: Scores | None = None,
        progress: Progress = ignore,
    ) -> Explanation:
        """Return the explanation of one image, heatmaps in the frame of the whole image; see `explain_pixels`.

        Args:
            source: an image file, or what `images.load` returned for one: uint8 (size, size, 3).
            layer: see `explain_pixels`, as the others.
            method: a key of `METHODS`.
            scores: what is explained.
            progress: of a method that predicts on many altered images.

        Raises:
            ImageError: the image cannot be read.
        """
        raw = (load(source, self.classifier.size) if isinstance(source, Path) else source)[None]
        explanation = self.explain_pixels(self.classifier.transform(raw)[0], layer, method, scores, progress)
        transform = self.classifier.image_transform
        if not image_transforms.changes_frame(transform):
            return explanation
        boxes = image_transforms.boxes(raw, transform)
        return replace(explanation, heatmaps=uncrop.uncrop(explanation.heatmaps[None], boxes)[0])

    def explain_pixels(
        self,
        pixels: np.ndarray,
        layer: str,
        method: str = "grad-cam",
        scores: Scores | None = None,
        progress: Progress = ignore,
    ) -> Explanation:
        """Return the explanation of one transformed image.

        Args:
            pixels: input of the model, uint8 (size, size, 3).
            layer: a tap of the backbone, `POOLED`, or `FUSED` for the mean of all taps, each scaled to its maximum;
                ignored for a method with a `methods.fixed_layer`.
            method: a key of `METHODS`.
            scores: from the probabilities to what is explained, see `gradients.heatmaps`; None for every class.
            progress: of a method that predicts on many altered images.
        """
        classifier = self.classifier
        with classifier.lock:
            maps = np.asarray(classifier.features(pixels[None], training=False))
            probabilities = np.asarray(classifier.head(maps, training=False))[0]
            weights = scores(probabilities) if scores else np.eye(len(probabilities), dtype=np.float32)
            weights = methods.logit_weights(method, weights, probabilities)
            layer = methods.fixed_layer(method, self._choices) or layer
            names = self._taps if layer == FUSED else [layer]
            found = [self._heatmaps(name, pixels, maps, method, weights, progress) for name in names]
        vector = classifier.vectors(maps)[0]
        score = classifier.ood_score(vector[None])
        heatmaps = fuse(found) if layer == FUSED else found[0]
        return Explanation(pixels, probabilities, heatmaps, None if score is None else float(score[0]), vector)

    def _heatmaps(
        self,
        layer: str,
        pixels: np.ndarray,
        maps: np.ndarray,
        method: str,
        weights: np.ndarray,
        progress: Progress,
    ) -> np.ndarray:
        inputs = maps if self._needs_head_only(layer) else pixels[None]
        gradient_model = self._gradient_model(layer)
        if perturbation_fn := METHODS[method].perturbation_fn:
            layer_map = gradient_model(inputs)[0][0]
            return perturbation_fn(self.classifier.logit_model, pixels, weights, layer_map, progress)
        return np.asarray(heatmaps(gradient_model, inputs, method, weights)[0])

    def _make_gradient_model(self, layer: str) -> GradientModel:
        if self._needs_head_only(layer):
            return HeadGradients(self.classifier.head, pooled=layer == POOLED)
        return ModelGradients(self.classifier.model, layer)

    def _needs_head_only(self, layer: str) -> bool:
        return layer in (self._own, POOLED)


def fuse(maps: list[np.ndarray]) -> np.ndarray:
    """Return the mean of heatmaps (scores, h, w) of several layers at the largest size, each scaled to its maximum.

    As Jiang et al. 2021 fuse layers, except for their choice of scale.
    """
    height, width = max(found.shape[1:] for found in maps)
    resized = [np.stack([resize(heatmap, height, width) for heatmap in found]) for found in maps]
    maxima = [found.max(axis=(1, 2), keepdims=True) for found in resized]
    scaled = [found / np.maximum(maximum, 1e-12) for found, maximum in zip(resized, maxima, strict=True)]
    return np.asarray(np.mean(scaled, axis=0))
