"""What happens during a fit, as plain values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """The numbers of one epoch. Training loss and accuracy are means while learning, as Keras reports."""

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Fit:
    """How a fit ended: the epoch whose weights were kept, and whether the user stopped it."""

    kept_epoch: int
    stopped: bool
