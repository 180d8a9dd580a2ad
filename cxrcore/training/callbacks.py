"""What a fit reports and who may steer it."""

from collections.abc import Callable
from dataclasses import dataclass

from cxrcore.runs import EpochMetrics, RunEvent
from cxrcore.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class FitResult:
    """How a fit ended: the epoch whose weights were kept with its validation loss, the last epoch, and whether the user
    stopped it.
    """

    kept_epoch: int
    best: float
    last_epoch: int
    stopped: bool


class Callback:
    """The base of callbacks: it does nothing."""

    def check(self) -> None:
        """Called before every compiled call; waits while the run is paused, raises `Stopped` to end the fit."""

    def wait(self) -> None:
        """Called where the fit cannot be stopped any more; waits while the run is paused."""

    def on_candidate(self, done: int, total: int) -> None:
        """Called while the layers and the strength of a head are chosen, with the candidates that are done."""

    def on_epoch_end(self, epoch: EpochMetrics) -> None:
        """Called after every epoch."""

    def on_warning(self, event: RunEvent) -> None:
        """Called after an epoch that shows that the training goes wrong, at most once."""

    def requested_learning_rate(self, epoch: int) -> float | None:
        """Return the learning rate that the user set since the last call, from `epoch` on; None if none was set."""

    def save_checkpoint(self, make: Callable[[], Checkpoint], last: bool = False) -> None:
        """Called after every epoch, and `last` at the end, with a function that makes the checkpoint."""

    def load_checkpoint(self, phase: str) -> Checkpoint | None:
        """Return the checkpoint of this phase to continue from, None to begin at the first epoch."""
