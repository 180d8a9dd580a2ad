"""What a run says of itself while it runs: on disk for everyone, and to one listener in its own process."""

import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxrcore.errors import Stopped
from cxrcore.files import append_line
from cxrcore.runs import RUNNING, Run, process
from cxrcore.training.events import Epoch

# Called with the stage's name, what is done and what there is in all.
Listener = Callable[[str, int, int], None]
STOP_FILE = "stop"
_SECONDS_BETWEEN_WRITES = 0.25


class Recorder:
    """Writes status.json and events.jsonl of one run, and notices the request to stop."""

    def __init__(self, run: Run, listener: Listener | None = None) -> None:
        self.run = run
        self._listener = listener or (lambda stage, done, total: None)
        self._written = 0.0
        self._status: dict[str, Any] = {"state": RUNNING, "started": time.time()} | process()
        if (run.folder / "status.json").is_file():
            before = run.status
            self._status |= {name: before[name] for name in ("created", "worker") if name in before}

    def stage(self, name: str, total: int = 0) -> None:
        """Begin a stage of `total` steps, 0 if they cannot be counted."""
        self._status |= {"stage": name, "done": 0, "total": total, "stage_started": time.time()}
        self._write()
        self._listener(name, 0, total)

    def progress(self, done: int, total: int) -> None:
        """Say how far the stage is. The file is written at most four times a second."""
        self._status |= {"done": done, "total": total}
        if time.time() - self._written > _SECONDS_BETWEEN_WRITES or done == total:
            self._write()
        self._listener(self._status["stage"], done, total)

    def epoch(self, epoch: Epoch, total: int) -> None:
        """Append an epoch to the events."""
        append_line(self.run.folder / "events.jsonl", asdict(epoch))
        self.progress(epoch.epoch, total)

    def check(self) -> None:
        """Raise `Stopped` if the user asked the run to stop."""
        if (self.run.folder / STOP_FILE).exists():
            raise Stopped

    def end(self, state: str, message: str = "") -> None:
        """Write the final state."""
        self._status |= {"state": state, "message": message, "ended": time.time()}
        self._write()

    def log_error(self) -> None:
        """Append the current exception's traceback to the log."""
        with Path(self.run.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(traceback.format_exc())

    def _write(self) -> None:
        self.run.write("status.json", self._status)
        self._written = time.time()
