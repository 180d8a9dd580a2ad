"""The state of a run while it is trained: on disk for everyone, and to one progress callback in its own process."""

import json
import math
import time
from collections.abc import Callable
from typing import Any

from cxrcore import cluster, logs
from cxrcore.errors import DamagedFileError, Stopped
from cxrcore.files import append_line, write_text
from cxrcore.messages import Message, msg
from cxrcore.metric import ClassificationMetrics
from cxrcore.progress import StageProgress, ignore_stages
from cxrcore.runs import EVENTS, RUNNING, EpochMetrics, Run, RunEvent, RunStatus, process_id
from cxrcore.schema import Stored
from cxrcore.training import checkpoint as checkpoints
from cxrcore.training import trackers
from cxrcore.training.callbacks import Callback
from cxrcore.training.checkpoint import Checkpoint

STOP_FILE, PAUSE_FILE, RATE_FILE, CHECKPOINT_FILE = "stop", "pause", "rate.json", "state-{phase}.npz"
HEARTBEAT_FILE = "heartbeat"
_SECONDS_BETWEEN_WRITES = 0.25
_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_BETWEEN_CHECKPOINTS = 3
# What each schedule does with a learning rate that the user sets.
_AFTERWARDS = {
    "plateau": msg("The schedule may reduce it later: it still reacts to a plateau of the validation loss."),
    "cosine": msg("The cosine decay continues with it as the full rate."),
    "constant": msg("It stays until it is set again."),
}


class RateRequest(Stored):
    """`rate.json`: the newest request for another learning rate, and its time in seconds since 1970."""

    value: float
    time: float


class RunRecorder(Callback):
    """Writes status.json and events.jsonl of one run; takes requests to stop, to pause and for a learning rate."""

    def __init__(
        self,
        run: Run,
        progress: StageProgress | None = None,
        on_trial_epoch: Callable[[EpochMetrics], None] | None = None,
    ) -> None:
        """`on_trial_epoch` is given for a trial, which saves no checkpoint: it is called after every epoch and may
        raise `Stopped`.
        """
        self.run, self._on_trial_epoch = run, on_trial_epoch
        self._progress = progress or ignore_stages
        self._written = self._saved = -math.inf  # by a clock that is never set
        self._request: RateRequest | None = None
        self._previous: EpochMetrics | None = None  # None after a request: its rate is no reduction
        self._epochs = 0
        self._trackers = trackers.requested(run)
        before = RunStatus.read_if_present(run.folder / "status.json")
        now = {"state": RUNNING, "started": time.time(), **dict(process_id())}
        # A run that had ended is continued by another program, as `cxr runs continue`.
        worker = before is not None and before.worker and before.state == RUNNING
        kept = {"created": before.created if before else time.time(), "worker": worker}
        gpu = before.gpu if before and worker else ""
        self._status = RunStatus.model_validate(now | kept | {"gpu": gpu})

    def stage(self, name: str, total: int = 0) -> None:
        """Begin a stage of `total` steps, 0 if they cannot be counted."""
        self._update(stage=name, done=0, total=total, first=0, stage_started=time.time())
        self._write()
        self._progress(name, 0, total)

    def progress(self, done: int, total: int) -> None:
        """Report how much of the stage is done. The file is written at most four times a second."""
        self._update(done=done, total=total)
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES or done == total:
            self._write()
        self._progress(self._status.stage, done, total)

    def download_progress(self, done: int, total: int) -> None:
        """The same for a download, which can be stopped but not paused: the server would close the connection."""
        self._stop_if_requested()
        self.progress(done, total)

    def training(self, total: int) -> None:
        """Begin the stage of training, of `total` epochs."""
        self._epochs = total
        self.stage("training", total)

    def on_candidate(self, done: int, total: int) -> None:
        """Report how many candidates are done."""
        if self._status.stage not in ("selecting", "resampling"):
            self.stage("selecting", total)
        if self._status.stage == "selecting":
            self.progress(done, total)

    def on_epoch_end(self, epoch: EpochMetrics) -> None:
        """Append an epoch to the events, and a reduction of the learning rate by the schedule."""
        previous = self._previous
        lower = previous and previous.phase == epoch.phase and epoch.learning_rate < previous.learning_rate
        if lower and self.run.config.schedule == "plateau":
            self._append(RunEvent(event="reduced", epoch=epoch.epoch, value=epoch.learning_rate))
        self._previous = epoch
        append_line(self.run.folder / EVENTS, epoch.model_dump(mode="json"))
        for tracker in self._trackers:
            tracker.on_epoch_end(epoch)
        if self._status.done == 0:
            self._update(first=epoch.epoch - 1)  # epochs of an earlier process took no time of this stage
        if self._epochs:  # else they cannot be counted before: the iterations of a solver
            self.progress(epoch.epoch, self._epochs)
        if self._on_trial_epoch:
            self._on_trial_epoch(epoch)

    def on_warning(self, event: RunEvent) -> None:
        """Append the warning to the events."""
        self._append(event)

    def check(self) -> None:
        """Wait while the run is paused; raise `Stopped` if the user asked it to stop, or, on a worker of a cluster, if
        nobody waits for the trial any more.
        """
        self.wait()
        self._stop_if_requested()

    def _stop_if_requested(self) -> None:
        if (self.run.folder / STOP_FILE).exists() or not cluster.is_wanted():
            raise Stopped

    def wait(self) -> None:
        """Wait while the run is paused, unless it is to be stopped; this does not count as time of the stage."""
        if not (self.run.folder / PAUSE_FILE).exists():
            return
        start = time.monotonic()
        self._update(paused=True)
        self._write()
        while (self.run.folder / PAUSE_FILE).exists() and not (self.run.folder / STOP_FILE).exists():
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        self._update(paused=False, stage_started=self._status.stage_started + time.monotonic() - start)
        self._write()

    def requested_learning_rate(self, epoch: int) -> float | None:
        """Return a learning rate set since the last epoch, and record it as an event.

        The request stays on disk: if the process is killed and its last epochs are lost with the event, it is applied
        again.
        """
        request = self._newest_request()
        if request is None or request == self._request:
            return None
        self._request = request
        if any(event.asked == request.time for event in self.run.events):
            return None  # applied by an earlier process
        after = _AFTERWARDS[self.run.config.schedule]
        event = RunEvent(event="learning-rate", epoch=epoch, value=request.value, asked=request.time, message=after)
        self._append(event)
        self._previous = None
        return request.value

    def _newest_request(self) -> RateRequest | None:
        try:
            return RateRequest.read_if_present(self.run.folder / RATE_FILE)
        except DamagedFileError:
            return None

    def save_checkpoint(self, make: Callable[[], Checkpoint], last: bool = False) -> None:
        """Save a checkpoint, every few seconds and at the end."""
        if self._on_trial_epoch:
            return
        if last or time.monotonic() - self._saved > _SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint = make()
            self.run.save_with(CHECKPOINT_FILE.format(phase=checkpoint.phase), checkpoint.save)
            self._saved = time.monotonic()

    def load_checkpoint(self, phase: str) -> Checkpoint | None:
        """Return the checkpoint of this phase; epochs recorded after it are removed, as they are trained again."""
        found = checkpoints.load(self.run.folder / CHECKPOINT_FILE.format(phase=phase))
        tuned = (self.run.folder / CHECKPOINT_FILE.format(phase="tuning")).is_file()
        if phase == "tuning" or not tuned:  # else the head is trained, and later epochs are those of the fine-tuning
            last = found.epoch if found else 0 if phase == "head" else None
            if last is not None:
                self._remove_epochs_after(last)
        self._previous = next(reversed(self.run.epochs), None)
        return found

    def _remove_epochs_after(self, last: int) -> None:
        lines: list[EpochMetrics | RunEvent] = [*self.run.epochs, *self.run.events]
        kept = [line for line in lines if line.epoch <= last]
        if len(kept) < len(lines):
            kept.sort(key=lambda line: (line.epoch, isinstance(line, EpochMetrics)))
            text = "".join(json.dumps(line.model_dump(mode="json"), ensure_ascii=False) + "\n" for line in kept)
            write_text(self.run.folder / EVENTS, text)

    def on_test_end(self, metrics: ClassificationMetrics) -> None:
        """Pass the test metrics on to the trackers."""
        for tracker in self._trackers:
            tracker.on_test_end(metrics)

    def end(self, state: str, message: Message | None = None) -> None:
        """Write the final state."""
        for tracker in self._trackers:
            tracker.end(state)
        self._update(state=state, message=message or Message(id=""), ended=time.time())
        self._write()

    def log_error(self, error: BaseException) -> None:
        """Append where an error was raised to the log, without its text, see `cxrcore.logs`."""
        self.run.log(logs.traceback_text(error))

    def _append(self, event: RunEvent) -> None:
        append_line(self.run.folder / EVENTS, event.model_dump(mode="json"))

    def _update(self, **values: Any) -> None:
        self._status = self._status.model_copy(update=values)

    def _write(self) -> None:
        self._status.write(self.run.folder / "status.json")
        self._written = time.monotonic()
