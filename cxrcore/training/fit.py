"""The fit loop: one compiled call an epoch on kept activations."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from cxrcore.errors import Stopped, UserError
from cxrcore.features.keras_setup import keras, tf
from cxrcore.training import objective
from cxrcore.training.config import RunConfig
from cxrcore.training.events import Epoch, Fit
from cxrcore.training.source import Vectors


def epoch_order(count: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which epoch number `epoch` (from 1) visits `count` rows."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def fit(
    body: Any,
    train: Vectors,
    validation: Vectors,
    config: RunConfig,
    on_epoch: Callable[[Epoch], None],
    check: Callable[[], None] = lambda: None,
) -> Fit:
    """Train `body` in place and leave it with the weights that the config says to keep.

    `check` is called before every compiled call; if it raises `Stopped` after at least one epoch, the fit
    ends early; before that, the exception is passed on.
    """
    body.compile(objective.optimizer(config))
    body.optimizer.build(body.trainable_variables)
    step, measure = _compiled(body, config, train.labels)
    callbacks = _callbacks(body, config)
    best, kept, weights, stopped = np.inf, 0, body.get_weights(), False
    for number in range(1, config.epochs + 1):
        if config.schedule == "cosine":
            body.optimizer.learning_rate = objective.cosine(config, number)
        try:
            epoch = _epoch(number, body, train, validation, config.seed, step, measure, check)
        except Stopped:
            if kept == 0:
                raise
            stopped = True
            break
        if not np.isfinite([epoch.loss, epoch.val_loss]).all():
            raise UserError("The loss is no number any more in epoch {number}. Lower the learning rate.", number=number)
        if config.keep == "last" or epoch.val_loss < best or kept == 0:
            best, kept, weights = epoch.val_loss, number, body.get_weights()
        on_epoch(epoch)
        for callback in callbacks:
            callback.on_epoch_end(number - 1, {"val_loss": epoch.val_loss})
        if body.stop_training:
            break
    body.set_weights(weights)
    return Fit(kept, stopped)


def _epoch(
    number: int,
    body: Any,
    train: Vectors,
    validation: Vectors,
    seed: int,
    step: Callable,
    measure: Callable,
    check: Callable[[], None],
) -> Epoch:
    start, rate = perf_counter(), float(body.optimizer.learning_rate)
    loss, accuracy = _mean(_calls(train.blocks(epoch_order(len(train), seed, number)), step, check), len(train))
    val_loss, val_accuracy = _mean(_calls(validation.blocks(), measure, check), len(validation))
    return Epoch(number, loss, accuracy, val_loss, val_accuracy, rate, perf_counter() - start)


def _calls(blocks: Iterator, function: Callable, check: Callable[[], None]) -> Iterator:
    for vectors, labels, order in blocks:
        check()
        yield function(vectors, labels, order)


def _mean(sums: Iterator, count: int) -> tuple[float, float]:
    loss, correct = np.sum([np.asarray(pair) for pair in sums], axis=0)
    return float(loss / count), float(correct / count)


def _callbacks(body: Any, config: RunConfig) -> list[Any]:
    callbacks = []
    if config.schedule == "plateau" and config.plateau:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_loss",
                factor=config.plateau.factor,
                patience=config.plateau.patience,
                cooldown=config.plateau.cooldown,
                min_lr=config.plateau.minimum,
            )
        )
    if config.early_stopping:
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=config.early_stopping))
    body.stop_training = False
    for callback in callbacks:
        callback.set_model(body)
        callback.on_train_begin()
    return callbacks


def _compiled(body: Any, config: RunConfig, labels: np.ndarray) -> tuple[Callable, Callable]:
    """Return (one epoch of learning, one of measuring); both give the sums of loss and of right answers.

    What is learned from has smoothed labels, weights and the penalty; what is reported is the plain cross-entropy of
    the same answers, so that the curves of two runs, and of training and validation, can be compared.
    """
    variables, optimizer = body.trainable_variables, body.optimizer
    weights = tf.constant(objective.class_weights(labels, body.output_shape[-1], config.class_weights))

    def score(logits: Any, labels: Any) -> tuple[Any, Any]:
        plain = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        right = tf.argmax(logits, axis=-1, output_type=tf.int32) == labels
        return plain, tf.reduce_sum(tf.cast(right, tf.float32))

    def goal(logits: Any, labels: Any) -> Any:
        weighted = objective.losses(logits, labels, config.label_smoothing) * tf.gather(weights, labels)
        return tf.reduce_mean(weighted) + (objective.penalty(body, config.l2) if config.l2 else 0.0)

    @tf.function(reduce_retracing=True)
    def step(vectors: Any, labels: Any, order: Any) -> Any:
        sums = tf.zeros(2)
        count = tf.shape(order)[0]
        for start in tf.range(0, count, config.batch_size):
            rows = order[start : start + config.batch_size]
            truth = tf.gather(labels, rows)
            with tf.GradientTape() as tape:
                logits = body(tf.gather(vectors, rows), training=True)
                loss = goal(logits, truth)
            optimizer.apply(tape.gradient(loss, variables), variables)
            losses, right = score(logits, truth)
            sums += tf.stack([tf.reduce_sum(losses), right])
        return sums

    @tf.function(reduce_retracing=True)
    def measure(vectors: Any, labels: Any, order: Any) -> Any:
        losses, right = score(body(tf.gather(vectors, order), training=False), tf.gather(labels, order))
        return tf.stack([tf.reduce_sum(losses), right])

    return step, measure
