"""One epoch as one compiled call."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.features.keras_setup import tf
from cxrcore.training import losses

_EVAL_ROWS = 512  # at once: the maps of a fine-tuned backbone of a whole part would not fit into memory
EpochStep = Callable[[Any, Any, Any], Any]


def compile_steps(model: Any, config: RunConfig, labels: np.ndarray) -> tuple[EpochStep, EpochStep]:
    """Return (one epoch of training, one of evaluation); both give the sums of loss and of correct predictions.

    The trained loss has smoothed labels, weights and regularisation; the reported one is the plain cross-entropy of the
    same outputs, so that the curves of two runs, and of training and validation, can be compared.
    """
    variables, optimizer = model.trainable_variables, model.optimizer
    weights = tf.constant(losses.class_weights(labels, model.output_shape[-1], config.class_weights))

    def score(logits: Any, labels: Any) -> Any:
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        correct = tf.argmax(logits, axis=-1, output_type=tf.int32) == labels
        return tf.stack([tf.reduce_sum(plain), tf.reduce_sum(tf.cast(correct, tf.float32))])

    def loss_fn(logits: Any, labels: Any) -> Any:
        weighted = losses.cross_entropy(logits, labels, config.label_smoothing) * tf.gather(weights, labels)
        return tf.reduce_mean(weighted) + (losses.l2_regularization(model, config.l2) if config.l2 else 0.0)

    def train_step(vectors: Any, labels: Any, rows: Any) -> Any:
        truth = tf.gather(labels, rows)
        with tf.GradientTape() as tape:
            logits = model(tf.gather(vectors, rows), training=True)
            loss = loss_fn(logits, truth)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return score(logits, truth)

    def eval_step(vectors: Any, labels: Any, rows: Any) -> Any:
        return score(model(tf.gather(vectors, rows), training=False), tf.gather(labels, rows))

    return _over_batches(train_step, config.batch_size), _over_batches(eval_step, _EVAL_ROWS)


def _over_batches(step: EpochStep, size: int) -> EpochStep:
    """Return the compiled sum of `step(vectors, labels, rows)` over all batches of `size` rows.

    The loop is TensorFlow's own, so that no process has to convert a Python loop first (decision 26).
    """

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def epoch(vectors: Any, labels: Any, order: Any) -> Any:
        count = tf.shape(order)[0]

        def batch(start: Any, sums: Any) -> tuple[Any, Any]:
            return start + size, sums + step(vectors, labels, order[start : start + size])

        return tf.while_loop(lambda start, _: start < count, batch, (0, tf.zeros(2)), parallel_iterations=1)[1]

    compiled: EpochStep = epoch
    return compiled
