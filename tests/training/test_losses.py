"""The loss with all its terms: by hand, and against Keras."""

import math

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.features.keras_setup import keras, tf
from cxrcore.training import heads, losses, optimizers
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import epoch_order, fit
from tests.training.toy import RecordingCallback, fit_head, make_maps


def test_balanced_class_weights():
    labels = np.array([0, 0, 0, 1])
    assert losses.class_weights(labels, 3, balanced=True) == pytest.approx([4 / 9, 4 / 3, 0])
    assert losses.class_weights(labels, 3, balanced=False).tolist() == [1, 1, 1]


def test_cross_entropy_with_smoothed_labels():
    """Even logits of two classes: -ln 0.5 whatever the labels; (0, ln 3) is (0.25, 0.75) with 0.1 smoothed."""
    logits = np.array([[0.0, 0.0], [0.0, math.log(3)]], np.float32)
    found = np.asarray(losses.cross_entropy(logits, np.array([0, 1]), 0.1))
    assert found == pytest.approx([math.log(2), -0.95 * math.log(0.75) - 0.05 * math.log(0.25)])


def test_l2_regularization_is_on_kernels_alone():
    body = heads.build("tutorial", (4, 4, 5), 3, 0.0).get_layer("body")
    kernels = [weights for weights in body.get_weights() if weights.ndim == 2]
    body.set_weights([weights + 7 if weights.ndim == 1 else weights for weights in body.get_weights()])
    found = float(losses.l2_regularization(body, 0.5))
    assert found == pytest.approx(0.5 * sum((kernel**2).sum() for kernel in kernels))


@pytest.mark.parametrize(("name", "schedule"), [("adam", "constant"), ("adamw", "cosine"), ("sgd", "cosine")])
def test_fit_with_all_terms_of_the_loss_matches_keras(name, schedule):
    """Smoothed labels, class weights and L2 regularisation, batch by batch in the same order, for two epochs."""
    maps, labels = make_maps()
    config = run_config.make(
        dataset="d",
        optimizer=name,
        schedule=schedule,
        label_smoothing=0.1,
        l2=0.01,
        class_weights=True,
        epochs=2,
        batch_size=7,
        dropout=0.0,
        learning_rate=0.05,
        keep="last",
        early_stopping=0,
    )
    keras.utils.set_random_seed(0)
    head = heads.build("gap", maps.map_shape, 3, 0.0)
    body, start = head.get_layer("body"), head.get_weights()
    vectors = np.asarray(head.get_layer("stem")(maps.maps))
    part = FeatureVectors(maps, np.arange(len(labels)), labels, head.get_layer("stem"))
    callback = RecordingCallback()
    fit(body, part, part, config, callback)
    found = body.get_weights()

    head.set_weights(start)
    kernel = body.get_layer("logits").kernel
    body.compile(optimizers.optimizer(config))
    weights = losses.class_weights(labels, 3, True)
    cross_entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction=None)
    for epoch in (1, 2):
        if schedule == "cosine":
            body.optimizer.learning_rate.assign(optimizers.cosine(config, epoch))
        order = epoch_order(len(labels), config.seed, epoch)
        for rows in (order[start : start + 7] for start in range(0, len(order), 7)):
            with tf.GradientTape() as tape:
                each = cross_entropy(np.eye(3)[labels[rows]], body(vectors[rows], training=True))
                loss = tf.reduce_mean(each * weights[labels[rows]]) + 0.01 * tf.reduce_sum(kernel**2)
            body.optimizer.apply(tape.gradient(loss, body.trainable_variables), body.trainable_variables)
    for one, other in zip(found, body.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    plain = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, body(vectors)))
    assert callback.epochs[-1].val_loss == pytest.approx(plain, abs=1e-5), "reported without the other terms"
    assert callback.epochs[0].learning_rate == pytest.approx(0.05)


@pytest.mark.parametrize(("schedule", "reduces"), [("plateau", True), ("constant", False)])
def test_plateau_acts_only_where_it_is_the_schedule(schedule, reduces):
    maps, labels = make_maps()
    values = {"schedule": schedule, "plateau": {"patience": 1}, "epochs": 30, "early_stopping": 0, "learning_rate": 1.0}
    epochs = fit_head(values, maps, labels)[1].epochs
    assert (epochs[-1].learning_rate < 1) == reduces
