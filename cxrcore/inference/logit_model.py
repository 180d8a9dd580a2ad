"""A classifier as functions from pixels to logits and their gradients."""

import numpy as np

from cxrcore.features.keras_setup import keras, tf
from cxrcore.features.predict import predict


class LogitModel:
    """The logits of `classifier`, a model as `saved_model.assemble` makes it, fresh or loaded."""

    def __init__(self, classifier: keras.Model) -> None:
        features, head = classifier.get_layer("features"), classifier.get_layer("head")
        logits = head.get_layer("body")(head.get_layer("stem")(features.output))
        self._model = keras.Model(features.input, logits)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of raw pixels, 0 to 255, (n, size, size, 3)."""
        return predict(self._model, np.asarray(pixels, np.float32))

    def gradients(self, pixels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the gradients of the scores, logits weighted by (s, classes): float32 (n, s, size, size, 3)."""
        inputs = tf.convert_to_tensor(pixels, tf.float32)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            explained = tf.matmul(self._model(inputs, training=False), scores.astype(np.float32), transpose_b=True)
            each = [explained[:, s] for s in range(len(scores))]
        return np.stack([np.asarray(tape.gradient(score, inputs)) for score in each], axis=1)
