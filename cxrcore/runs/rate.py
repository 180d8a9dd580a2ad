"""Images a second through the backbone of a run on this machine, for estimates of time."""

from cxrcore.features import backbones
from cxrcore.progress import Steps
from cxrcore.runs.run import Run
from cxrcore.schema import Stored

FILE = "images_per_second.json"
# The seconds that a run took for its features count if they are that of so many times the rate of the table of
# backbones: features that were cached already took nearly no time, and augmented copies more.
_PLAUSIBLE = (0.2, 5.0)


class MeasuredRate(Stored):
    """`images_per_second` at an input size in pixels, as the training or the latest audit of a run measured them."""

    images_per_second: float
    size: int


def expected(run: Run) -> float:
    """Return the measured rate of a run, else the one that the seconds of its training allow, else that of the table
    of backbones.
    """
    if found := MeasuredRate.read_if_present(run.folder / FILE):
        return found.images_per_second * (found.size / run.config.size) ** 2
    usual = backbones.get(run.config.backbone).rate_at(run.config.size)
    seconds = run.metrics.seconds.get("features", 0.0) if run.metrics else 0.0
    rate = len(run.table) / seconds if seconds else 0.0
    least, most = _PLAUSIBLE
    return rate if least * usual <= rate <= most * usual else usual


def keep(run: Run, images_per_second: float, size: int) -> None:
    """Keep a measured rate with its run."""
    MeasuredRate(images_per_second=images_per_second, size=size).write(run.folder / FILE)


def keep_measured(run: Run, steps: Steps) -> None:
    """Keep the rate that a task has measured with its run."""
    if steps.measured:
        keep(run, steps.rate, run.config.size)
