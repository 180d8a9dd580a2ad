"""Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391), from kept activations or from pixels.

For the logit y of a class and the map A of a layer, with Z cells and channels k:

    alpha_k = 1/Z * sum_ij dy / dA_ijk          L = ReLU(sum_k alpha_k A_k)

The score is the logit, not the softmax: the softmax also rises when another class falls.
"""

from typing import Any

import numpy as np

from cxrcore.features.keras_setup import keras, tf

_CHUNK = 32


class HeadCam:
    """Grad-CAM through a head alone: all that is needed when the map it stands on is known."""

    def __init__(self, head: Any, pooled: bool = False) -> None:
        """`head` as `training.heads.build` makes it; `pooled` explains its pooled map instead of its input.

        Only the tutorials' head has a pooled map with more than one cell.
        """
        stem, body = head.get_layer("stem"), head.get_layer("body")
        self._pool = keras.Model(stem.input, stem.get_layer("pool").output) if pooled else None
        classes = body.output_shape[-1]

        def run(maps: Any) -> Any:
            target = self._pool(maps) if self._pool else maps
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(target)
                vectors = tf.reshape(target, [tf.shape(target)[0], -1]) if pooled else stem(target)
                logits = body(vectors, training=False)
                scores = [logits[:, k] for k in range(classes)]
            return tf.stack([_cam(target, tape.gradient(score, target)) for score in scores], axis=1)

        self._run = tf.function(run, input_signature=[tf.TensorSpec(stem.input_shape, tf.float32)])

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """Return heatmaps float32 (n, classes, h, w), at least 0, not normalised, of maps (n, h, w, c)."""
        parts = [np.asarray(self._run(maps[k : k + _CHUNK])) for k in range(0, len(maps), _CHUNK)]
        return np.concatenate(parts)


class PixelCam:
    """Grad-CAM of any tap of a whole classifier, from pixels."""

    def __init__(self, classifier: Any, layer: str) -> None:
        """`classifier` as `training.heads.whole` makes it, fresh or loaded; `layer` is a backbone layer."""
        features = classifier.get_layer("features")
        backbone, self._head = features.get_layer("backbone"), classifier.get_layer("head")
        self._prepare = keras.Model(features.input, features.get_layer("preprocess").output)
        self._backbone = keras.Model(backbone.input, [backbone.get_layer(layer).output, backbone.output])

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return heatmaps float32 (n, classes, h, w) of raw pixels (n, size, size, 3), 0 to 255."""
        stem, body = self._head.get_layer("stem"), self._head.get_layer("body")
        inputs = self._prepare(tf.convert_to_tensor(pixels, tf.float32))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)  # so that the frozen backbone's maps are recorded
            target, maps = self._backbone(inputs, training=False)
            logits = body(stem(maps), training=False)
            scores = [logits[:, k] for k in range(logits.shape[-1])]
        cams = [_cam(target, tape.gradient(score, target)) for score in scores]
        return np.asarray(tf.stack(cams, axis=1))


def _cam(target: Any, gradient: Any) -> Any:
    alpha = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(alpha * target, axis=-1))
