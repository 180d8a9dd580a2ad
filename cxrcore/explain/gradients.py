"""The input of every CAM method: a layer's map and the gradient of each class's logit.

The score is the logit, not the softmax: the softmax also rises when another class's logit falls. The gradients come
from kept feature maps where the head is enough, else from pixels.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from cxrcore.explain.methods import METHODS, CamFunction, logit_weights
from cxrcore.features.keras_setup import keras, tf

_GRADIENT_BYTES = 64 * 2**20
_IMAGES = 8  # at once through a whole backbone with its gradients


class GradientModel(Protocol):
    """A `HeadGradients` or `ModelGradients`."""

    def batch_size(self, inputs: np.ndarray) -> int:
        """Return how many of `inputs` it takes at once."""

    def __call__(self, inputs: np.ndarray, scores: np.ndarray | None = None, /) -> tuple[np.ndarray, np.ndarray]:
        """Return the layer's map (n, h, w, c) and the gradients (n, scores, h, w, c) of inputs (n, ...).

        Each score is a sum of logits with weights, float (scores, classes); None for every class's logit.
        """


def heatmaps(
    gradient_model: GradientModel, inputs: np.ndarray, method: str = "grad-cam", scores: np.ndarray | None = None
) -> np.ndarray:
    """Return heatmaps float32 (n, scores, h, w), at least 0, not normalised.

    Args:
        gradient_model: a `HeadGradients` or `ModelGradients`.
        inputs: of the gradient model, (n, ...).
        method: one of `methods.GRADIENT_METHODS`.
        scores: each a sum of logits with these weights, float (scores, classes): one 1 for a class, 1 and -1 for the
            difference of two. None for every class.
    """
    cam_fn = _cam_fn(method)
    parts = []
    size = gradient_model.batch_size(inputs)
    for start in range(0, len(inputs), size):
        maps, gradients = gradient_model(inputs[start : start + size], scores)
        parts.append(cam_fn(maps[:, None], gradients))
    return np.concatenate(parts)


def target_heatmaps(
    gradient_model: GradientModel,
    inputs: np.ndarray,
    names: Sequence[str],
    targets: np.ndarray,
    probabilities: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return one heatmap for each image, float32 (n, h, w), for each of several methods, all from one pass.

    Args:
        gradient_model: a `HeadGradients` or `ModelGradients`.
        inputs: of the gradient model, (n, ...).
        names: of `methods.GRADIENT_METHODS`.
        targets: the class to explain of each image, int (n,).
        probabilities: of each image, float (n, classes).
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    one_hot = np.eye(probabilities.shape[1], dtype=np.float32)[targets]
    size = gradient_model.batch_size(inputs)
    for start in range(0, len(inputs), size):
        rows = slice(start, start + size)
        maps, gradients = gradient_model(inputs[rows])
        pairs = [*zip(one_hot[rows], probabilities[rows], strict=True)]
        for name in names:
            weights = np.stack([logit_weights(name, score[None], each)[0] for score, each in pairs])
            gradient = np.einsum("nk,nk...->n...", weights.astype(np.float32), gradients)
            parts[name].append(_cam_fn(name)(maps, gradient))
    return {name: np.concatenate(found) for name, found in parts.items()}


class HeadGradients:
    """Through a head alone, for the feature map or the head's pooled map."""

    def __init__(self, head: keras.Model, pooled: bool = False) -> None:
        """`head` is as `training.heads.build` makes it; `pooled` explains its pooled map instead of its input.

        Only the tutorials' head has a pooled map with more than one cell.
        """
        stem, body = head.get_layer("stem"), head.get_layer("body")
        self._pool = keras.Model(stem.input, stem.get_layer("pool").output) if pooled else None
        self._stem, self._body = stem, body

    def batch_size(self, inputs: np.ndarray) -> int:
        """Return how many maps have gradients that take about `_GRADIENT_BYTES` of memory."""
        cells = int(np.prod(self._pool.output_shape[1:] if self._pool else inputs.shape[1:]))
        return int(max(1, _GRADIENT_BYTES // (4 * cells * self._body.output_shape[-1])))

    def __call__(self, maps: np.ndarray, scores: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the map and the gradients of feature maps (n, h, w, c), see `GradientModel`."""
        target = self._pool(maps) if self._pool else tf.convert_to_tensor(maps)
        with tf.GradientTape(persistent=True) as tape:  # a compiled function would take longer to compile than to run
            tape.watch(target)
            vectors = tf.reshape(target, [len(maps), -1]) if self._pool else self._stem(target)
            logits = self._body(vectors, training=False)
            explained = _explained(logits, scores)
        gradients = tf.stack([tape.gradient(score, target) for score in explained], axis=1)
        return np.asarray(target), np.asarray(gradients)


class ModelGradients:
    """Through a whole classifier, for any tap of its backbone."""

    def __init__(self, classifier: keras.Model, layer: str) -> None:
        """`classifier` is as `saved_model.assemble` makes it, fresh or loaded; `layer` is a backbone layer."""
        features = classifier.get_layer("features")
        backbone, self._head = features.get_layer("backbone"), classifier.get_layer("head")
        self._prepare = keras.Model(features.input, features.get_layer("preprocess").output)
        # What the head takes: the backbone's map, or what the layer `moments` makes of those of its taps.
        named = [each.name for each in features.layers]
        maps = features.get_layer("moments")(_listed(backbone.output)) if "moments" in named else backbone.output
        self._backbone = keras.Model(backbone.input, [backbone.get_layer(layer).output, maps])

    def batch_size(self, inputs: np.ndarray) -> int:
        """Return how many images are taken at once."""
        return _IMAGES

    def __call__(self, pixels: np.ndarray, scores: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the map and the gradients of raw pixels (n, size, size, 3), 0 to 255, see `GradientModel`."""
        stem, body = self._head.get_layer("stem"), self._head.get_layer("body")
        inputs = self._prepare(tf.convert_to_tensor(pixels, tf.float32))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)  # so that the frozen backbone's maps are recorded
            target, maps = self._backbone(inputs, training=False)
            logits = body(stem(maps), training=False)
            explained = _explained(logits, scores)
        gradients = tf.stack([tape.gradient(score, target) for score in explained], axis=1)
        return np.asarray(target), np.asarray(gradients)


def _listed(outputs: object) -> list[object]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _explained(logits: tf.Tensor, scores: np.ndarray | None) -> list[tf.Tensor]:
    """Return each score of the images, (n,); a gradient is then taken for every score, not for every class."""
    sums = logits if scores is None else tf.matmul(logits, scores.astype(np.float32), transpose_b=True)
    return [sums[:, k] for k in range(sums.shape[-1])]


def _cam_fn(method: str) -> CamFunction:
    cam_fn = METHODS[method].cam_fn
    if cam_fn is None:
        raise ValueError(f"method: expected one that uses gradients. Received: {method!r}")
    return cam_fn
