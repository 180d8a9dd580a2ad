"""Optimisers, schedules and what is minimised: by hand, and against plain Keras."""

import math

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads, losses
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import epoch_order, fit
from tests.training.toy import Heard, draw


def _made(**values):
    return run_config.make(dataset="d", **values)


def test_the_cosine_warms_up_and_falls():
    made = _made(schedule="cosine", epochs=100, learning_rate=0.1)
    rates = [losses.cosine(made, epoch) for epoch in range(1, 101)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[52] == pytest.approx(0.05)  # halfway: 48 of 96 steps
    assert rates[99] == pytest.approx(0.05 * (1 + math.cos(math.pi * 95 / 96))) and rates[99] > 0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert losses.cosine(_made(epochs=1, learning_rate=0.1), 1) == pytest.approx(0.1)


def test_class_weights_let_every_class_count_alike():
    labels = np.array([0, 0, 0, 1])
    assert losses.class_weights(labels, 3, balanced=True) == pytest.approx([4 / 9, 4 / 3, 0])
    assert losses.class_weights(labels, 3, balanced=False).tolist() == [1, 1, 1]


def test_smoothed_labels_by_hand():
    """Even logits of two classes: -ln 0.5 whatever the labels; (0, ln 3) is (0.25, 0.75) with 0.1 smoothed."""
    logits = np.array([[0.0, 0.0], [0.0, math.log(3)]], np.float32)
    found = np.asarray(losses.losses(logits, np.array([0, 1]), 0.1))
    assert found == pytest.approx([math.log(2), -0.95 * math.log(0.75) - 0.05 * math.log(0.25)])


def test_the_penalty_is_on_kernels_alone():
    body = heads.build("tutorial", (4, 4, 5), 3, 0.0).get_layer("body")
    kernels = [weights for weights in body.get_weights() if weights.ndim == 2]
    body.set_weights([weights + 7 if weights.ndim == 1 else weights for weights in body.get_weights()])
    assert float(losses.penalty(body, 0.5)) == pytest.approx(0.5 * sum((kernel**2).sum() for kernel in kernels))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_everything_together_is_what_plain_keras_does(name, schedule):
    """Smoothed labels, class weights and the penalty, batch by batch in the same order, for two epochs."""
    maps, labels = draw()
    made = _made(
        optimizer=name, schedule=schedule, label_smoothing=0.1, l2=0.01, class_weights=True, epochs=2, batch_size=7,
        dropout=0.0, learning_rate=0.05, keep="last", early_stopping=0,
    )  # fmt: skip
    keras.utils.set_random_seed(0)
    head = heads.build("gap", maps.map_shape, 3, 0.0)
    body, start = head.get_layer("body"), head.get_weights()
    vectors = np.asarray(head.get_layer("stem")(maps.maps))
    part = FeatureVectors(maps, np.arange(len(labels)), labels, head.get_layer("stem"))
    heard = Heard()
    fit(body, part, part, made, heard)
    epochs = heard.epochs

    head.set_weights(start)
    kernel = body.get_layer("logits").kernel
    body.compile(losses.optimizer(made))
    weights = losses.class_weights(labels, 3, True)
    cross = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction=None)
    import tensorflow as tf

    for epoch in (1, 2):
        if schedule == "cosine":
            body.optimizer.learning_rate.assign(losses.cosine(made, epoch))
        order = epoch_order(len(labels), made.seed, epoch)
        for rows in (order[at : at + 7] for at in range(0, len(order), 7)):
            with tf.GradientTape() as tape:
                each = cross(np.eye(3)[labels[rows]], body(vectors[rows], training=True))
                loss = tf.reduce_mean(each * weights[labels[rows]]) + 0.01 * tf.reduce_sum(kernel**2)
            body.optimizer.apply(tape.gradient(loss, body.trainable_variables), body.trainable_variables)
    want = body.get_weights()
    head.set_weights(start)
    fit(body, part, part, made)
    for ours, theirs in zip(body.get_weights(), want, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert epochs[-1].val_loss == pytest.approx(float(plain(labels, body(vectors))), abs=1e-5), "reported plainly"
    assert epochs[0].learning_rate == pytest.approx(0.05)


def test_a_plateau_lowers_the_rate_only_where_it_is_the_schedule():
    maps, labels = draw()
    for schedule, lower in (("plateau", True), ("constant", False)):
        made = _made(schedule=schedule, plateau={"patience": 1}, epochs=30, early_stopping=0, learning_rate=1.0)
        head = heads.build("gap", maps.map_shape, 3, 0.0)
        part = FeatureVectors(maps, np.arange(len(labels)), labels, head.get_layer("stem"))
        heard = Heard()
        fit(head.get_layer("body"), part, part, made, heard)
        epochs = heard.epochs
        assert (epochs[-1].learning_rate < 1) == lower


@pytest.mark.parametrize("values", [{"optimizer": "lion"}, {"label_smoothing": 0.5}, {"l2": -1}, {"schedule": "steps"}])
def test_settings_out_of_range_are_named(values):
    with pytest.raises(UserError, match=next(iter(values))):
        _made(**values)


@pytest.mark.parametrize("kind", ["probe", "hidden"])
def test_standardised_heads_see_mean_0_and_variance_1_fresh_and_after_loading(kind, tmp_path):
    maps, labels = draw()
    maps.maps *= 50
    maps.maps += 9
    head = heads.build(kind, maps.map_shape, 3, 0.0)
    part = FeatureVectors(maps, np.arange(len(labels)), labels, head.get_layer("stem"))
    heads.standardise(head, part)
    made = _made(head=kind, epochs=40, learning_rate=0.05, dropout=0.0, early_stopping=0)
    fit(head.get_layer("body"), part, part, made)
    assert (np.asarray(head(maps.maps)).argmax(axis=1) == labels).mean() > 0.9
    head.save(tmp_path / "head.keras")
    for each in (head, keras.models.load_model(tmp_path / "head.keras")):
        body = each.get_layer("body")
        seen = np.asarray(body.get_layer("standardise")(maps.maps.mean(axis=(1, 2))))
        assert seen.mean(axis=0) == pytest.approx(0, abs=1e-4) and seen.std(axis=0) == pytest.approx(1, abs=1e-3)
        assert np.asarray(each(maps.maps)) == pytest.approx(np.asarray(head(maps.maps)), abs=1e-6)


def test_the_linear_head_agrees_with_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(1)
    maps, labels = draw(seed=1, count=300, channels=8)
    maps.maps += rng.normal(scale=8, size=maps.maps.shape).astype(np.float32)  # so that not all can be right
    head = heads.build("probe", maps.map_shape, 3, 0.0)
    learned, tested = np.arange(200), np.arange(200, 300)
    parts = [FeatureVectors(maps, rows, labels, head.get_layer("stem"), 32) for rows in (learned, tested)]
    heads.standardise(head, parts[0])
    made = _made(head="probe", epochs=150, learning_rate=0.02, l2=0.0025, early_stopping=0, keep="last")
    fit(head.get_layer("body"), *parts, made)
    vectors = maps.maps.mean(axis=(1, 2))
    scaler = StandardScaler().fit(vectors[:200])
    # C = 1 / (2 n l2): scikit-learn sums the losses and halves the penalty.
    model = LogisticRegression(C=1 / (2 * 200 * 0.0025), max_iter=1000).fit(
        scaler.transform(vectors[:200]), labels[:200]
    )
    theirs, ours = model.predict_proba(scaler.transform(vectors[200:])), np.asarray(head(maps.maps[200:]))
    accuracy = [(each.argmax(axis=1) == labels[200:]).mean() for each in (theirs, ours)]
    assert abs(accuracy[0] - accuracy[1]) <= 0.02 and 0.5 < accuracy[0] < 0.99
    assert ours == pytest.approx(theirs, abs=0.05)
