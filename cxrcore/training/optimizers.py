"""Optimisers and learning-rate schedules.

Adam and AdamW do one fused operation per variable instead of ten, so that the large kernels of a head pass through
memory once. Source: Kingma & Ba 2015, arXiv:1412.6980, as Keras and TensorFlow's `ResourceApplyAdam` both implement it,
w <- w - rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + e).
"""

import math
from typing import Any

from cxrcore.config.run_config import RunConfig
from cxrcore.features.keras_setup import keras, tf

WARM_UP = 0.05  # share of the epochs, at least one, in which the cosine schedule rises to its full rate
MOMENTUM = 0.9
WEIGHT_DECAY = 0.004  # of AdamW, Keras's default


class Adam(keras.optimizers.Optimizer):  # type: ignore[misc]  # Keras has no types
    """Keras's Adam: the same numbers and the same variables in the same order."""

    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7

    def build(self, variables: list[Any]) -> None:
        """Make a first and a second moment for each variable."""
        super().build(variables)
        first, second = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self.moments = {
            variable.value.ref(): (m.value, v.value) for variable, m, v in zip(variables, first, second, strict=True)
        }

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply one gradient; `variable` is TensorFlow's own."""
        kind = variable.dtype
        first, second = self.moments[variable.ref()]
        step = tf.cast(self.iterations + 1, kind)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, kind), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, kind), step),
            lr=tf.cast(learning_rate, kind),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, kind),
        )


def optimizer(config: RunConfig) -> Any:
    """Return the Keras optimiser of a config."""
    clip_norm = config.clip_norm or None
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(config.learning_rate, momentum=MOMENTUM, global_clipnorm=clip_norm)
    decay = WEIGHT_DECAY if config.optimizer == "adamw" else None
    return Adam(config.learning_rate, weight_decay=decay, global_clipnorm=clip_norm, name=config.optimizer)


def cosine(config: RunConfig, epoch: int) -> float:
    """Return the learning rate of an epoch, from 1: a linear warm-up, then half a cosine towards 0 (Loshchilov & Hutter
    2017, arXiv:1608.03983, without restarts).
    """
    warm = max(1, round(WARM_UP * config.epochs))
    if epoch <= warm:
        return config.learning_rate * epoch / warm
    return config.learning_rate * (1 + math.cos(math.pi * (epoch - warm) / max(1, config.epochs - warm + 1))) / 2
