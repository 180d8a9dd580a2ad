"""What happens during a fit, as plain values, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass

from cxrcore.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Epoch:
    """The numbers of one epoch. Training loss and accuracy are means while learning, as Keras reports. `phase` is
    `head`, or `tuning` when the backbone's upper layers learn too.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float
    phase: str = "head"


@dataclass(frozen=True)
class FitResult:
    """How a fit ended: the epoch whose weights were kept with its validation loss, the last epoch, and whether the
    user stopped it.
    """

    kept_epoch: int
    best: float
    last_epoch: int
    stopped: bool


class Callback:
    """Nobody listens to a fit, and nobody steers it: the base of those who do."""

    def check(self) -> None:
        """Called before every compiled call; waits while the run is paused, raises `Stopped` to end the fit."""

    def wait(self) -> None:
        """Called where nothing can be stopped any more; waits while the run is paused."""

    def epoch(self, epoch: Epoch) -> None:
        """Called after every epoch."""

    def rate(self, epoch: int) -> float | None:
        """Return the learning rate asked for since the last call, to hold from `epoch` on; None if none was."""

    def keep(self, state: Callable[[], Checkpoint], last: bool = False) -> None:
        """Called after every epoch, and `last` at the end, with a way to get what the fit needs to go on later."""

    def state(self, phase: str) -> Checkpoint | None:
        """Return where an earlier fit of this phase was left, None to begin anew."""
