"""How work reports its progress: the callbacks that every package takes, and the time that is left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from cxrcore.messages import Message

# (done, total); total is 0 where it is not known.
Progress = Callable[[int, int], None]
# (stage, done, total); the stage is a code or an English text of the catalogues.
StageProgress = Callable[[str, int, int], None]
# The same, with messages too.
TaskProgress = Callable[[str | Message, int, int], None]

_KNOWN = 2.0  # seconds of measuring, after which the measured rate replaces the expected one


def ignore(done: int, total: int) -> None:
    """Discard the progress."""


def ignore_stages(stage: str | Message, done: int, total: int) -> None:
    """Discard the progress."""


def of_stage(progress: StageProgress, stage: str) -> Progress:
    """Return the progress of one stage of several."""
    return lambda done, total: progress(stage, done, total)


@dataclass(frozen=True)
class Step:
    """How far a task is: `done` of `total` in `stage`, its step `number` of `steps`; 0 where they are not counted.

    `seconds_left` is the time until the whole task ends, None where it is not known.
    """

    stage: str | Message
    done: int
    total: int
    number: int = 0
    steps: int = 0
    seconds_left: float | None = None


StepProgress = Callable[[Step], None]


def ignore_steps(step: Step) -> None:
    """Discard the progress."""


def by_stage(progress: TaskProgress) -> StepProgress:
    """Return a callback that passes the stages on without the time left."""
    return lambda step: progress(step.stage, step.done, step.total)


@dataclass(frozen=True)
class PlannedStep:
    """A step that a task will take, on about `count` items.

    `passes` images go through the backbone for each item, 0 where its features are cached or none are needed; `seconds`
    are those of an item besides.
    """

    stage: str | Message
    count: int
    passes: float = 0.0
    seconds: float = 0.0

    def time(self, rate: float, count: int) -> float:
        """Return the seconds of `count` items at a rate of images a second."""
        return count * (self.passes / rate + self.seconds)


def planned_seconds(plan: Sequence[PlannedStep], rate: float) -> float:
    """Return the seconds of all steps at a rate of images a second."""
    return sum(step.time(rate, step.count) for step in plan)


@dataclass
class Steps:
    """The progress of a task in planned steps, as a `TaskProgress`, with the time left at the measured rate.

    Attributes:
        report: gets each step.
        plan: in this order. A stage that is not planned is reported without a number.
        rate: images through the backbone a second: the expected rate, then the measured one.
    """

    report: StepProgress
    plan: Sequence[PlannedStep]
    rate: float
    clock: Callable[[], float] = monotonic
    _place: int = 0
    _last: tuple[str, int, float] | None = None
    _images: float = field(default=0.0)
    _seconds: float = field(default=0.0)

    def __call__(self, stage: str | Message, done: int, total: int) -> None:
        """Report `done` of `total` items of a stage; steps of the same stage follow each other."""
        name = str(stage)
        names = [str(step.stage) for step in self.plan]
        if name not in names:
            self.report(Step(stage, done, total))
            return
        if names[self._place] != name:
            self._place = names.index(name)
        elif self._last and done <= self._last[1] and names[self._place + 1 : self._place + 2] == [name]:
            self._place += 1
        step, later = self.plan[self._place], self.plan[self._place + 1 :]
        self._measure(step, done)
        left = step.time(self.rate, max(0, total - done)) + planned_seconds(later, self.rate)
        self.report(Step(stage, done, total, self._place + 1, len(self.plan), left))

    @property
    def measured(self) -> bool:
        """Whether `rate` is measured."""
        return self._seconds >= _KNOWN

    def _measure(self, step: PlannedStep, done: int) -> None:
        """Count the images since the call before; the first of a stage may have built a model."""
        name, now = str(step.stage), self.clock()
        if self._last and self._last[0] == name and step.passes and done > self._last[1]:
            self._images += (done - self._last[1]) * step.passes
            self._seconds += now - self._last[2]
            if self.measured:
                self.rate = self._images / self._seconds
        self._last = (name, done, now)
