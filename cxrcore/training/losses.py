"""What is minimised, by what, and at which rate."""

import math
from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.features.keras_setup import keras, tf
from cxrcore.training import optimizers

WARM_UP = 0.05  # of the epochs, at least one: the cosine's rate rises to its full value
MOMENTUM = 0.9


def optimizer(config: RunConfig) -> Any:
    """Return the Keras optimiser of a config; AdamW decays weights by 0.004 of the rate, as Keras does by default."""
    makers = {
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=MOMENTUM),
    }
    return makers[config.optimizer](config.learning_rate)


def cosine(config: RunConfig, epoch: int) -> float:
    """Return the rate of an epoch, from 1: a linear warm-up, then half a cosine towards 0 (Loshchilov & Hutter 2017,
    arXiv:1608.03983, without restarts).
    """
    warm = max(1, round(WARM_UP * config.epochs))
    if epoch <= warm:
        return config.learning_rate * epoch / warm
    return config.learning_rate * (1 + math.cos(math.pi * (epoch - warm) / max(1, config.epochs - warm + 1))) / 2


def class_weights(labels: np.ndarray, classes: int, balanced: bool) -> np.ndarray:
    """Return the weight of each class, float32 (classes,): n / (classes n_k) if `balanced`, else 1.

    So every class counts alike and the mean over all images stays 1. A class without images has weight 0.
    """
    if not balanced:
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 0).astype(np.float32)


def losses(logits: Any, labels: Any, smoothing: float) -> Any:
    """Return the cross-entropy of each row, (n,), against (1 - s) one-hot + s / classes (Szegedy et al. 2016)."""
    if not smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    classes = logits.shape[-1]
    truth = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.nn.softmax_cross_entropy_with_logits(truth, logits)


def penalty(body: Any, l2: float) -> Any:
    """Return l2 times the sum of the head's squared kernels; its biases are free, and so is a tuned backbone."""
    heads = {f"{layer}/kernel" for layer in ("hidden", "logits")}
    kernels = [variable for variable in body.trainable_variables if variable.path in heads]
    return l2 * tf.add_n([tf.reduce_sum(tf.square(kernel)) for kernel in kernels])
