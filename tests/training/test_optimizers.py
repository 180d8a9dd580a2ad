"""The fused optimisers give what Keras's own give, step for step."""

import numpy as np
import pytest

from cxrcore.features.keras_setup import keras, tf
from cxrcore.training import optimizers

PAIRS = {"Adam": (optimizers.Adam, keras.optimizers.Adam), "AdamW": (optimizers.AdamW, keras.optimizers.AdamW)}


def _learned(maker, steps=7):
    """Return the values after learning from the same gradients, at a rate that changes on the way, and the state."""
    optimizer = maker(0.1)
    variables = [keras.Variable(np.linspace(-1, 1, 6).reshape(3, 2)), keras.Variable([0.5, 2.0])]
    optimizer.build(variables)
    draw = np.random.default_rng(0)

    @tf.function
    def apply(gradients):
        optimizer.apply(gradients, variables)

    for step in range(steps):
        if step == 4:
            optimizer.learning_rate = 0.01
        apply([tf.constant(draw.normal(size=variable.shape), tf.float32) for variable in variables])
    return [keras.ops.convert_to_numpy(variable) for variable in variables + optimizer.variables]


@pytest.mark.parametrize("name", PAIRS)
def test_values_and_state_are_kerass(name):
    ours, theirs = map(_learned, PAIRS[name])
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_the_first_step_is_the_rate_against_the_sign():
    """With m and v corrected for their start at 0, m / sqrt(v) is the gradient over its size."""
    optimizer, variable = optimizers.Adam(0.1), keras.Variable([1.0, 1.0])
    optimizer.build([variable])
    optimizer.apply([tf.constant([3.0, -0.2])], [variable])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), [0.9, 1.1], rtol=1e-5)
