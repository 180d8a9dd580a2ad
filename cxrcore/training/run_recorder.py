"""What a run says of itself while it runs: on disk for everyone, and to one listener in its own process."""

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from cxrcore.errors import Stopped
from cxrcore.files import append_line, read_json_if_there, read_lines, write_text
from cxrcore.runs import EVENTS, RUNNING, Run, process
from cxrcore.training import checkpoint as states
from cxrcore.training import trackers
from cxrcore.training.callbacks import Callback, Epoch
from cxrcore.training.checkpoint import Checkpoint

# Called with the stage's name, what is done and what there is in all.
Listener = Callable[[str, int, int], None]
STOP_FILE, PAUSE_FILE, RATE_FILE, STATE_FILE = "stop", "pause", "rate.json", "state-{phase}.npz"
_SECONDS_BETWEEN_WRITES = 0.25
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_BETWEEN_STATES = 3


class RunRecorder(Callback):
    """Writes status.json and events.jsonl of one run, and notices what is asked of it: to stop, to pause, to learn at
    another rate.
    """

    def __init__(
        self, run: Run, listener: Listener | None = None, watch: Callable[[Epoch], None] | None = None
    ) -> None:
        """`watch` is a trial's, which leaves nothing to go on from: it hears of every epoch and may raise `Stopped`."""
        self.run, self._watch = run, watch
        self._listener = listener or (lambda stage, done, total: None)
        self._written = self._saved = 0.0
        self._asked: dict[str, Any] | None = None
        self._epochs = 0
        self._trackers = trackers.wanted(run)
        self._status: dict[str, Any] = {"state": RUNNING, "started": time.time()} | process()
        if (run.folder / "status.json").is_file():
            before = run.status
            self._status |= {name: before[name] for name in ("created", "worker") if name in before}

    def stage(self, name: str, total: int = 0) -> None:
        """Begin a stage of `total` steps, 0 if they cannot be counted."""
        self._status |= {"stage": name, "done": 0, "total": total, "from": 0, "stage_started": time.time()}
        self._write()
        self._listener(name, 0, total)

    def progress(self, done: int, total: int) -> None:
        """Say how far the stage is. The file is written at most four times a second."""
        self._status |= {"done": done, "total": total}
        if time.time() - self._written > _SECONDS_BETWEEN_WRITES or done == total:
            self._write()
        self._listener(self._status["stage"], done, total)

    def download_progress(self, done: int, total: int) -> None:
        """The same of a download, which can be stopped but not paused: the other side would hang up."""
        self._stop_if_asked()
        self.progress(done, total)

    def training(self, total: int) -> None:
        """Begin the stage of learning, of `total` epochs."""
        self._epochs = total
        self.stage("training", total)

    def epoch(self, epoch: Epoch) -> None:
        """Append an epoch to the events."""
        append_line(self.run.folder / EVENTS, asdict(epoch))
        for tracker in self._trackers:
            tracker.epoch(epoch)
        if self._status["done"] == 0:
            self._status["from"] = epoch.epoch - 1  # of a run that goes on: what was done before took no time now
        self.progress(epoch.epoch, self._epochs)
        if self._watch:
            self._watch(epoch)

    def check(self) -> None:
        """Wait while the run is paused; raise `Stopped` if the user asked it to stop."""
        self.wait()
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if (self.run.folder / STOP_FILE).exists():
            raise Stopped

    def wait(self) -> None:
        """Wait while the run is paused, which does not count into the stage's time; a run that is to stop goes on."""
        if not (self.run.folder / PAUSE_FILE).exists():
            return
        start = time.time()
        self._write({"paused": True})
        while (self.run.folder / PAUSE_FILE).exists() and not (self.run.folder / STOP_FILE).exists():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._status["stage_started"] += time.time() - start
        self._write()

    def rate(self, epoch: int) -> float | None:
        """Return a learning rate asked for since the last epoch, and record it as an event.

        The request stays: if the process is killed and its last epochs are forgotten with the event, it is heard again.
        """
        if (asked := self._request()) == self._asked or asked is None:
            return None
        self._asked = asked
        if any(event.get("asked") == asked["time"] for event in self.run.events):
            return None  # by the process before this one
        event = {"event": "learning-rate", "epoch": epoch, "value": asked["value"], "asked": asked["time"]}
        append_line(self.run.folder / EVENTS, event)
        return float(asked["value"])

    def keep(self, state: Callable[[], Checkpoint], last: bool = False) -> None:
        """Save where the fit is, every few seconds and at its end."""
        if self._watch:
            return
        if last or time.time() - self._saved > _SECONDS_BETWEEN_STATES:
            left = state()
            self.run.save_with(STATE_FILE.format(phase=left.phase), left.save)
            self._saved = time.time()

    def state(self, phase: str) -> Checkpoint | None:
        """Return where this run's fit was left; epochs recorded after it are forgotten, as they come again."""
        left = states.load(self.run.folder / STATE_FILE.format(phase=phase))
        tuned = (self.run.folder / STATE_FILE.format(phase="tuning")).is_file()
        if phase == "tuning" or not tuned:  # else the head has learned, and what came after it is the tuning's
            last = left.epoch if left else 0 if phase == "head" else None
            if last is not None:
                self._forget_epochs_after(last)
        return left

    def _forget_epochs_after(self, last: int) -> None:
        lines = read_lines(self.run.folder / EVENTS)
        kept = [line for line in lines if line["epoch"] <= last]
        if len(kept) < len(lines):
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
            write_text(self.run.folder / EVENTS, text)

    def _request(self) -> dict[str, Any] | None:
        """Return the newest request for another learning rate: its `value` and `time`."""
        return read_json_if_there(self.run.folder / RATE_FILE)

    def tested(self, metrics: dict[str, Any]) -> None:
        """Pass the test metrics on to those who track the run elsewhere."""
        for tracker in self._trackers:
            tracker.tested(metrics)

    def end(self, state: str, message: str = "") -> None:
        """Write the final state."""
        for tracker in self._trackers:
            tracker.end(state)
        self._status |= {"state": state, "message": message, "ended": time.time()}
        self._write()

    def log_error(self) -> None:
        """Append the current exception's traceback to the log."""
        self.run.log(traceback.format_exc())

    def _write(self, more: dict[str, Any] | None = None) -> None:
        self.run.write("status.json", self._status | (more or {}))
        self._written = time.time()
