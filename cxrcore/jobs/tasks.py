"""Work on a finished run, or a sweep, in a process of its own, so that it continues when the page is left: `python -m
cxrcore.jobs.tasks FOLDER TASK`.

`tasks/TASK.json` in the folder holds its progress; the file is removed when the work is done, as its result then
exists. With `CXR_EXECUTOR=dask`, `tasks/TASK.log` is also its heartbeat, and `tasks/TASK.stop` asks a task of another
machine to end.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Literal, Protocol

from cxrcore import logs
from cxrcore.errors import UserError
from cxrcore.jobs import priority, processes, run_process
from cxrcore.messages import Message, msg, plain
from cxrcore.process import heartbeat, is_elsewhere, is_silent
from cxrcore.progress import Step, StepProgress
from cxrcore.runs import FAILED, RUNNING, ProcessId, Run, process_id
from cxrcore.schema import Stored
from cxrcore.sealing import SealedMessage

_WRITE_SECONDS = 0.3


class HasFolder(Protocol):
    """What a task works on: a run or a sweep."""

    @property
    def folder(self) -> Path:
        """Its folder."""


class TaskStatus(Stored, ProcessId):
    """The progress of a task, see `progress.Step`; `message` tells why it failed."""

    state: Literal["running", "failed"]
    stage: Message = Message(id="")
    done: int = 0
    total: int = 0
    number: int = 0
    steps: int = 0
    seconds_left: float | None = None
    message: SealedMessage = Message(id="")


def _shortcut(folder: Path, progress: StepProgress) -> None:
    from cxrcore.audits import shortcut

    shortcut.audit(Run(folder), progress)


def _mitigations(folder: Path, progress: StepProgress) -> None:
    from cxrcore.audits import mitigations

    mitigations.compare(Run(folder), progress)


def _faithfulness(folder: Path, progress: StepProgress) -> None:
    from cxrcore.explain import faithfulness

    faithfulness.measure(Run(folder), progress=progress)


def _learning_curve(folder: Path, progress: StepProgress) -> None:
    from cxrcore.audits import learning_curve

    def report(stage: str | Message, done: int, total: int) -> None:
        progress(Step(stage, done, total))

    learning_curve.compute(Run(folder), report)


def _sweep(folder: Path, progress: StepProgress) -> None:
    from cxrcore.features import weights
    from cxrcore.sweeps import search
    from cxrcore.sweeps.sweep import Sweep

    with weights.only_permitted():
        search.search(Sweep(folder), lambda stage, done, total: progress(Step(stage, done, total)))


TASKS = {
    "sweep": _sweep,
    "shortcut": _shortcut,
    "mitigations": _mitigations,
    "faithfulness": _faithfulness,
    "learning_curve": _learning_curve,
}


def start(place: HasFolder, task: str) -> None:
    """Start `task`, a key of `TASKS`, in its own process; nothing happens if it is running already."""
    with run_process.lock():
        if (found := status(place, task)) and found.state == RUNNING:
            return
        log = _log(place.folder, task)
        log.parent.mkdir(exist_ok=True)
        _stop_file(place.folder, task).unlink(missing_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(  # nosec B603
                [sys.executable, *work(place, task)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=run_process.environment(),
                start_new_session=True,
            )
        _write(place.folder, task, Step("", 0, 0), process_id(process.pid))


def status(place: HasFolder, task: str) -> TaskStatus | None:
    """Return the status of a task; None for one that is done or was never started."""
    path = file(place.folder, task)
    found = TaskStatus.read_if_present(path)
    if found and found.state == RUNNING and not _is_alive(place, task, found):
        found = TaskStatus.read_if_present(path)  # it may have ended normally in the meantime
        if found and found.state == RUNNING:
            message = msg("The worker process ended unexpectedly: it was killed, or the machine ran out of memory.")
            return found.model_copy(update={"state": FAILED, "message": message})
    return found


def _is_alive(place: HasFolder, task: str, found: TaskStatus) -> bool:
    if is_elsewhere(found):
        return not is_silent(_log(place.folder, task))
    return processes.alive(found, work(place, task))


def stop(place: HasFolder, task: str) -> None:
    """End a task at once, one of another machine at its next report. Activations that it computed are kept."""
    with run_process.lock():
        found = status(place, task)
        if found and found.state == RUNNING and is_elsewhere(found):
            _stop_file(place.folder, task).touch()
            return
        if found:
            processes.kill(found, work(place, task))
        file(place.folder, task).unlink(missing_ok=True)


def work(place: HasFolder, task: str) -> list[str]:
    """Return the end of the command line of a task's process."""
    return processes.command(processes.TASK, place.folder, task)


def main(folder: Path, task: str) -> int:
    """Do a task and write its progress. Return the exit code."""
    with run_process.lock():
        pass  # the process that started this one writes the first status
    logs.start(run=folder.name)
    written = 0.0

    def progress(step: Step) -> None:
        nonlocal written
        if time.monotonic() - written > _WRITE_SECONDS:
            written = time.monotonic()
            if _stop_file(folder, task).exists():
                sys.exit()  # no error, which the work could take for one of its own
            _write(folder, task, step, process_id())

    try:
        with heartbeat(_log(folder, task)):
            TASKS[task](folder, progress)
    except Exception as error:
        if not isinstance(error, UserError):
            logs.unexpected(error)
        message = error.message if isinstance(error, UserError) else plain(f"{type(error).__name__}: {error}")
        TaskStatus(state="failed", message=message).write(file(folder, task))
        return 2
    except SystemExit:
        _stop_file(folder, task).unlink(missing_ok=True)
    file(folder, task).unlink(missing_ok=True)
    return 0


def _write(folder: Path, task: str, step: Step, process: ProcessId) -> None:
    TaskStatus.model_validate({"state": "running"} | vars(step) | process.model_dump()).write(file(folder, task))


def _log(folder: Path, task: str) -> Path:
    return folder / "tasks" / f"{task}.log"


def _stop_file(folder: Path, task: str) -> Path:
    return folder / "tasks" / f"{task}.stop"


def file(folder: Path, task: str) -> Path:
    """Return the file of a task's progress."""
    return folder / "tasks" / f"{task}.json"


if __name__ == "__main__":
    priority.lower()
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
