"""How work reports its progress: the callbacks that every package takes."""

from collections.abc import Callable

# (done, total); total is 0 where it is not known.
Progress = Callable[[int, int], None]
# (stage, done, total); the stage is a code or an English text of the catalogues.
StageProgress = Callable[[str, int, int], None]


def ignore(done: int, total: int) -> None:
    """Discard the progress."""


def ignore_stages(stage: str, done: int, total: int) -> None:
    """Discard the progress."""


def of_stage(progress: StageProgress, stage: str) -> Progress:
    """Return the progress of one stage of several."""
    return lambda done, total: progress(stage, done, total)
