"""Adam and AdamW whose step is one operation a variable instead of ten: the head's large kernels pass the memory once.

Source: Kingma & Ba 2015, arXiv:1412.6980, as Keras and TensorFlow's `ResourceApplyAdam` both write it,
w <- w - rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + e).
"""

from typing import Any

from cxrcore.features.keras_setup import keras, tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam, the same numbers and the same state."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Learn from one gradient; TensorFlow gives `variable` as its own."""
        kind, index = variable.dtype, self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, kind)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, kind), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, kind), step),
            lr=tf.cast(learning_rate, kind),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, kind),
        )


class AdamW(Adam, keras.optimizers.AdamW):
    """Keras's AdamW, whose decay comes before the step of Adam."""
