"""What a training loss means: the loss of a constant prediction, and what to change when the loss stays above it."""

from collections.abc import Sequence

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.messages import Message, msg

_WITHOUT_RATE = {"logistic"}  # solved to convergence
_STRONG = 0.1  # L2 regularisation from which on it may keep a head from learning
_STANDARDISED = {"probe", "hidden"}  # heads whose inputs have mean 0 and variance 1


def constant_loss(counts: Sequence[int]) -> float:
    """Return the cross-entropy of predicting the class frequencies for every image: their entropy, in nats.

    `counts` are the training images of each class, together more than 0.
    """
    shares = np.asarray(counts, float) / np.sum(counts)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def advice(config: RunConfig) -> Message:
    """Return what to change in a config whose training loss did not fall."""
    rate = config.learning_rate
    if config.l2 >= _STRONG:
        return msg("Lower the L2 regularisation from {l2:g}, or check the labels.", l2=config.l2)
    if config.head in _WITHOUT_RATE:
        return msg("Check the labels of the training images.")
    if config.head in _STANDARDISED:
        return msg(
            "Lower the learning rate from {rate:g} to {lower:g}, or check the labels.", rate=rate, lower=rate / 10
        )
    if config.preprocessing == "native" and config.preprocessing_mode == "caffe":
        return msg(
            "Set preprocessing to 'unit', lower the learning rate from {rate:g} to {lower:g}, or choose the head "
            "'logistic', which standardises its inputs.",
            rate=rate,
            lower=rate / 10,
        )
    return msg(
        "Lower the learning rate from {rate:g} to {lower:g}, or choose the head 'logistic', which standardises its "
        "inputs.",
        rate=rate,
        lower=rate / 10,
    )
