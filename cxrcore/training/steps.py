"""One epoch as one compiled call."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.features.keras_setup import tf
from cxrcore.training import losses


def compiled(body: Any, config: RunConfig, labels: np.ndarray) -> tuple[Callable, Callable]:
    """Return (one epoch of learning, one of measuring); both give the sums of loss and of right answers.

    What is learned from has smoothed labels, weights and the penalty; what is reported is the plain cross-entropy of
    the same answers, so that the curves of two runs, and of training and validation, can be compared.
    """
    variables, optimizer = body.trainable_variables, body.optimizer
    weights = tf.constant(losses.class_weights(labels, body.output_shape[-1], config.class_weights))

    def score(logits: Any, labels: Any) -> Any:
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        right = tf.argmax(logits, axis=-1, output_type=tf.int32) == labels
        return tf.stack([tf.reduce_sum(plain), tf.reduce_sum(tf.cast(right, tf.float32))])

    def goal(logits: Any, labels: Any) -> Any:
        weighted = losses.losses(logits, labels, config.label_smoothing) * tf.gather(weights, labels)
        return tf.reduce_mean(weighted) + (losses.penalty(body, config.l2) if config.l2 else 0.0)

    def learned(vectors: Any, labels: Any, rows: Any) -> Any:
        truth = tf.gather(labels, rows)
        with tf.GradientTape() as tape:
            logits = body(tf.gather(vectors, rows), training=True)
            loss = goal(logits, truth)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return score(logits, truth)

    def measured(vectors: Any, labels: Any, rows: Any) -> Any:
        return score(body(tf.gather(vectors, rows), training=False), tf.gather(labels, rows))

    return _call(learned, config.batch_size), _call(measured, _MEASURED)


def _call(sums_of: Callable, size: int) -> Callable:
    """Return the compiled sum of `sums_of(vectors, labels, rows)` over all blocks of `size` rows.

    The loop is TensorFlow's own, so that no process has to convert a Python loop first (decision 26).
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def call(vectors: Any, labels: Any, order: Any) -> Any:
        count = tf.shape(order)[0]

        def block(start: Any, sums: Any) -> tuple[Any, Any]:
            return start + size, sums + sums_of(vectors, labels, order[start : start + size])

        return tf.while_loop(lambda start, _: start < count, block, (0, tf.zeros(2)), parallel_iterations=1)[1]

    return call


_MEASURED = 512  # rows at once: a tuned backbone's maps of a whole part would not fit into memory
