"""The loss: cross-entropy with label smoothing, class weights and L2 regularisation."""

from typing import Any

import numpy as np

from cxrcore.features.keras_setup import tf


def class_weights(labels: np.ndarray, classes: int, balanced: bool) -> np.ndarray:
    """Return the weight of each class, float32 (classes,): n / (classes n_k) if `balanced`, else 1.

    The mean weight over all images is 1. A class without images has weight 0.
    """
    if not balanced:
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 0).astype(np.float32)


def cross_entropy(logits: Any, labels: Any, smoothing: float) -> Any:
    """Return the cross-entropy of each row, (n,), against (1 - s) one-hot + s / classes (Szegedy et al. 2016)."""
    if not smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    classes = logits.shape[-1]
    truth = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(truth, logits)


def l2_regularization(model: Any, l2: float) -> Any:
    """Return l2 times the sum of the head's squared kernels; biases and the backbone are not regularised."""
    heads = {f"{layer}/kernel" for layer in ("hidden", "logits")}
    kernels = [variable for variable in model.trainable_variables if variable.path in heads]
    return l2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
