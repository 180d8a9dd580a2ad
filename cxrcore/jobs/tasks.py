"""Work on a finished run, or a sweep, in a process of its own, so that it goes on when the page is left: `python -m
cxrcore.jobs.tasks FOLDER TASK`.

`tasks/TASK.json` in the folder says how far it is; it is gone when the work is done, as its result then is
there.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cxrcore.errors import UserError
from cxrcore.files import read_json_if_there, write_json
from cxrcore.i18n import N_
from cxrcore.jobs import processes, queue
from cxrcore.runs import FAILED, RUNNING, Run
from cxrcore.runs import process as process_of

Listener = Callable[[str, int, int], None]
_WRITE_SECONDS = 0.3


class Place(Protocol):
    """Whatever has a folder to work in: a run, a sweep."""

    @property
    def folder(self) -> Path:
        """Where it is."""


def _shortcut(folder: Path, listen: Listener) -> None:
    from cxrcore.audits import shortcut

    shortcut.audit(Run(folder), listen)


def _remedies(folder: Path, listen: Listener) -> None:
    from cxrcore.audits import mitigations

    mitigations.compare(Run(folder), listen)


def _faithfulness(folder: Path, listen: Listener) -> None:
    from cxrcore.explain import faithfulness

    faithfulness.measure(Run(folder), progress=listen)


def _sweep(folder: Path, listen: Listener) -> None:
    from cxrcore.sweeps import search
    from cxrcore.sweeps.sweep import Sweep

    search.search(Sweep(folder), listen)


TASKS = {"sweep": _sweep, "shortcut": _shortcut, "remedies": _remedies, "faithfulness": _faithfulness}


def start(place: Place, task: str) -> None:
    """Start `task`, a key of `TASKS`, in its own process; nothing happens if it runs already."""
    with queue.lock():
        if (found := status(place, task)) and found["state"] == RUNNING:
            return
        log = place.folder / "tasks" / f"{task}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "cxrcore.jobs.tasks", str(place.folder), task],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=queue.environment(),
                start_new_session=True,
            )
        _write(place.folder, task, "", 0, 0, process_of(process.pid))


def status(place: Place, task: str) -> dict[str, Any] | None:
    """Return `state`, `stage`, `done`, `total`, perhaps `message`; None for a task that is done or was never begun."""
    path = _file(place.folder, task)
    found = read_json_if_there(path)
    if found and found["state"] == RUNNING and not processes.alive(found):
        found = read_json_if_there(path)  # it may have ended well between the two looks
        if found and found["state"] == RUNNING:
            return found | {
                "state": FAILED,
                "message": N_("The process ended without a word: it was killed, or the memory ran out."),
            }
    return found


def stop(place: Place, task: str) -> None:
    """End a task at once. What it computed for the cache stays; nothing else does."""
    with queue.lock():
        if found := status(place, task):
            processes.kill(found)
        _file(place.folder, task).unlink(missing_ok=True)


def main(folder: Path, task: str) -> int:
    """Do a task and say how far it is. Return the exit code."""
    with queue.lock():
        pass  # whoever started this process writes its number first
    written = 0.0

    def listen(stage: str, done: int, total: int) -> None:
        nonlocal written
        if time.monotonic() - written > _WRITE_SECONDS:
            written = time.monotonic()
            _write(folder, task, stage, done, total, process_of())

    try:
        TASKS[task](folder, listen)
    except Exception as error:
        message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        write_json(_file(folder, task), {"state": FAILED, "message": message})
        return 2
    _file(folder, task).unlink(missing_ok=True)
    return 0


def _write(folder: Path, task: str, stage: str, done: int, total: int, process: dict[str, Any]) -> None:
    write_json(_file(folder, task), {"state": RUNNING, "stage": stage, "done": done, "total": total} | process)


def _file(folder: Path, task: str) -> Path:
    return folder / "tasks" / f"{task}.json"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
