"""Output of the commands: progress on a terminal, nothing in a pipe, one JSON object at the end if asked."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cxrcore.messages import Message
from cxrcore.metric import Metric
from cxrcore.progress import TaskProgress
from cxrcore.runs import Run

if TYPE_CHECKING:
    from cxrcore.evaluation.verdict import Verdict

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


@contextmanager
def progress() -> Iterator[TaskProgress]:
    """Yield a callback that draws one bar per stage, with rate and time left, if stderr is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:18}"), BarColumn(), MofNCompleteColumn(), _Rate())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as shown:

        def update(stage: str | Message, done: int, total: int) -> None:
            name = str(stage)
            if name not in bars:
                bars[name] = shown.add_task(name, total=total or None)
            shown.update(bars[name], completed=done, total=total or None)

        yield update


def exit_when_asked() -> None:
    """Let Ctrl-C and SIGTERM end this process with code 0, orderly."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: sys.exit(0))


def result(value: dict[str, Any], text: str, as_json: bool) -> None:
    """Print `text`, or `value` as one line of JSON."""
    print(json.dumps(value) if as_json else visible(text))


def visible(text: str) -> str:
    """Return a text whose characters that would control the terminal, as of a file's name, are escaped."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def proportion(metric: Metric) -> str:
    """Return for example `97.3 % (73 of 75; 95 % interval 90.8 to 99.3 %)`."""
    if metric.value is None or metric.low is None or metric.high is None:
        return f"not defined (0 of {metric.n})"
    interval = f"95 % interval {100 * metric.low:.1f} to {100 * metric.high:.1f} %"
    return f"{100 * metric.value:.1f} % ({metric.successes} of {metric.n}; {interval})"


def headline(run: Run) -> str:
    """Return the accuracy that stands for a run as `proportion`, of folds or repeats as `share` and what it is of."""
    metric = run.headline or Metric(None)
    found = run.averaged
    return f"{share(metric)}, {found.label}" if found else proportion(metric)


def share(metric: Metric) -> str:
    """Return the same without counts: `97.3 % (95 % interval 90.8 to 99.3 %)`, or that there is no interval."""
    if metric.value is None:
        return "not defined"
    if metric.low is None or metric.high is None:
        return f"{100 * metric.value:.1f} % (no interval)"
    return f"{100 * metric.value:.1f} % (95 % interval {100 * metric.low:.1f} to {100 * metric.high:.1f} %)"


def verdict(found: "Verdict") -> str:
    """Return the baseline and the findings, a line for each."""
    lines = [f"Always answering {found.majority}: {proportion(found.baseline)}."]
    if not found.findings:
        lines += map(str, found.messages)
    lines += [f"{finding.level.capitalize()}: {finding.message}" for finding in found.findings]
    return "\n".join(lines)
