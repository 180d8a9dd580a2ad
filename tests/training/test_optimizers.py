"""Optimisers and learning-rate schedules match Keras's, step for step."""

import math

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.features.keras_setup import keras, tf
from cxrcore.training import optimizers

KERAS = {
    "adam": lambda: keras.optimizers.Adam(0.1),
    "adamw": lambda: keras.optimizers.AdamW(0.1),
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
}


def _trained(optimizer, steps=7):
    """Return values and state after steps with the same gradients, and a learning rate that changes on the way."""
    variables = [keras.Variable(np.linspace(-1, 1, 6).reshape(3, 2)), keras.Variable([0.5, 2.0])]
    optimizer.build(variables)
    rng = np.random.default_rng(0)

    @tf.function
    def apply(gradients):
        optimizer.apply(gradients, variables)

    for step in range(steps):
        if step == 4:
            optimizer.learning_rate = 0.01
        apply([tf.constant(rng.normal(size=variable.shape), tf.float32) for variable in variables])
    return [keras.ops.convert_to_numpy(variable) for variable in variables + optimizer.variables]


@pytest.mark.parametrize("name", KERAS)
def test_values_and_state_match_keras(name):
    found = _trained(optimizers.optimizer(run_config.make(dataset="d", optimizer=name, learning_rate=0.1)))
    expected = _trained(KERAS[name]())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_first_step_of_adam_is_the_rate_against_the_sign():
    """With m and v corrected for their start at 0, m / sqrt(v) is the gradient over its size."""
    optimizer, variable = optimizers.Adam(0.1), keras.Variable([1.0, 1.0])
    optimizer.build([variable])
    optimizer.apply([tf.constant([3.0, -0.2])], [variable])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), [0.9, 1.1], rtol=1e-5)


def test_cosine_schedule_rises_and_falls():
    config = run_config.make(dataset="d", schedule="cosine", epochs=100, learning_rate=0.1)
    rates = [optimizers.cosine(config, epoch) for epoch in range(1, 101)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[52] == pytest.approx(0.05)  # halfway: 48 of 96 steps
    assert rates[99] == pytest.approx(0.05 * (1 + math.cos(math.pi * 95 / 96))) and rates[99] > 0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert optimizers.cosine(run_config.make(dataset="d", epochs=1, learning_rate=0.1), 1) == pytest.approx(0.1)


@pytest.mark.parametrize(("clip_norm", "step"), [(0.0, [3.0, 4.0]), (1.0, [0.6, 0.8]), (10.0, [3.0, 4.0])])
def test_clip_norm_scales_gradients_down_to_the_global_norm(clip_norm, step):
    config = run_config.make(dataset="d", optimizer="sgd", learning_rate=1.0, clip_norm=clip_norm)
    optimizer, variables = optimizers.optimizer(config), [keras.Variable([0.0]), keras.Variable([0.0])]
    optimizer.build(variables)
    optimizer.apply([tf.constant([3.0]), tf.constant([4.0])], variables)
    np.testing.assert_allclose([-float(variable[0]) for variable in variables], step, rtol=1e-6)
