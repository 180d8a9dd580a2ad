"""Images a second through the backbone of a run on this machine, for estimates of time."""

from cxrcore.features import backbones
from cxrcore.progress import Steps
from cxrcore.runs.run import Run
from cxrcore.schema import Stored

FILE = "rate.json"
# The seconds that a run took for its features count if they are that of so many times the rate of the table of
# backbones: features that were cached already took nearly no time, and augmented copies more.
_PLAUSIBLE = (0.2, 5.0)


class MeasuredRate(Stored):
    """`rate.json`: `images_per_second`, as the latest audit of a run measured them."""

    images_per_second: float


def expected(run: Run) -> float:
    """Return the measured rate of an earlier audit of a run, else of its training, else that of the table."""
    if found := MeasuredRate.read_if_present(run.folder / FILE):
        return found.images_per_second
    usual = backbones.get(run.config.backbone).rate_at(run.config.size)
    seconds = run.metrics.seconds.get("features", 0.0) if run.metrics else 0.0
    rate = len(run.table) / seconds if seconds else 0.0
    least, most = _PLAUSIBLE
    return rate if least * usual <= rate <= most * usual else usual


def keep(run: Run, steps: Steps) -> None:
    """Keep the rate that a task has measured with its run."""
    if steps.measured:
        MeasuredRate(images_per_second=steps.rate).write(run.folder / FILE)
