"""Where else a run is written to: TensorBoard's event files, and an MLflow server."""

import os
import time
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from cxrcore.runs import Run
from cxrcore.training.callbacks import Epoch

_SECONDS_BETWEEN_BATCHES = 2
_PLOTTED = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


class Tracker(ABC):
    """Hears of every epoch and of the end."""

    @abstractmethod
    def epoch(self, epoch: Epoch) -> None:
        """Take in the numbers of an epoch."""

    @abstractmethod
    def tested(self, metrics: dict[str, Any]) -> None:
        """Take in the test metrics; nothing comes after them."""

    @abstractmethod
    def end(self, state: str) -> None:
        """Close what is open: the run has ended in this state."""


def wanted(run: Run) -> list[Tracker]:
    """Return the trackers that the run's config and the environment ask for."""
    found: list[Tracker] = []
    if run.config.get("tensorboard"):
        found.append(TensorBoard(run))
    if os.environ.get("MLFLOW_TRACKING_URI"):
        found.append(MLflow(run))
    return found


class TensorBoard(Tracker):
    """Scalars by epoch in `tensorboard/` of the run's folder: `tensorboard --logdir FOLDER`.

    The event file is a TFRecord of Event messages, which TensorFlow itself can write.
    """

    def __init__(self, run: Run) -> None:
        self._folder = run.folder / "tensorboard"
        self._writer: Any = None

    def epoch(self, epoch: Epoch) -> None:
        """Write an epoch's scalars."""
        self._write({name: getattr(epoch, name) for name in _PLOTTED}, epoch.epoch)

    def tested(self, metrics: dict[str, Any]) -> None:
        """Write the test accuracy."""
        self._write({"test_accuracy": metrics["accuracy"]["value"]}, 0)

    def end(self, state: str) -> None:
        """Close the file."""
        if self._writer:
            self._writer.close()

    def _write(self, values: dict[str, float], step: int) -> None:
        from tensorflow.core.framework.summary_pb2 import Summary
        from tensorflow.core.util.event_pb2 import Event

        if self._writer is None:
            self._open(Event)
        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=points))
        self._writer.write(event.SerializeToString())

    def _open(self, event: Any) -> None:
        from cxrcore.features.keras_setup import tf

        self._folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time():.0f}.{uuid4().hex[:8]}"
        self._writer = tf.io.TFRecordWriter(str(self._folder / name))
        self._writer.write(event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())


class MLflow(Tracker):
    """A run on the server that MLFLOW_TRACKING_URI names. A server that fails is named in the run's log and left alone:
    no training is lost to it.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._sent = run, 0.0
        self._waiting: list[tuple[str, float, int, int]] = []
        self._client: Any = None
        self._guarded(self._start)

    def _start(self) -> None:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric, client = Metric, MlflowClient()
        known = self._run.optional("mlflow.json")  # a run that is continued goes on with the same one
        if known:
            client.update_run(known["run_id"], status="RUNNING")
            self._id = known["run_id"]
        else:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "chest X-ray studio")
            experiment = client.get_experiment_by_name(name)
            number = experiment.experiment_id if experiment else client.create_experiment(name)
            self._id = client.create_run(number, run_name=self._run.name).info.run_id
            params = [Param(key, str(value)[:500]) for key, value in self._run.settings.items()]
            client.log_batch(self._id, params=params)
            self._run.write("mlflow.json", {"run_id": self._id})
        self._client = client

    def epoch(self, epoch: Epoch) -> None:
        """Send an epoch's metrics, several epochs at a time."""
        values = asdict(epoch)
        self._add({name: values[name] for name in _PLOTTED}, epoch.epoch)
        if time.time() - self._sent > _SECONDS_BETWEEN_BATCHES:
            self._guarded(self._send)

    def tested(self, metrics: dict[str, Any]) -> None:
        """Send the test accuracy with its interval."""
        low, high = metrics["accuracy"]["ci95"]
        self._add({"test_accuracy": metrics["accuracy"]["value"], "test_accuracy_low": low, "test_accuracy_high": high})
        self._guarded(self._send)

    def end(self, state: str) -> None:
        """Send what is left and close the server's run."""
        self._guarded(self._send)
        status = {"finished": "FINISHED", "stopped": "KILLED"}.get(state, "FAILED")
        self._guarded(lambda: self._client and self._client.set_terminated(self._id, status))

    def _add(self, values: dict[str, float], step: int = 0) -> None:
        now = int(1000 * time.time())
        self._waiting += [(name, value, now, step) for name, value in values.items()]

    def _send(self) -> None:
        if self._client and self._waiting:
            self._client.log_batch(self._id, metrics=[self._metric(*row) for row in self._waiting[:1000]])
            self._waiting, self._sent = self._waiting[1000:], time.time()

    def _guarded(self, action: Any) -> None:
        try:
            action()
        except ImportError:
            self._give_up("MLFLOW_TRACKING_URI is set, but MLflow is not installed: pip install '.[mlflow]'.")
        except Exception as error:  # whatever a server does: the training goes on
            self._give_up(f"MLflow: {type(error).__name__}: {error}")

    def _give_up(self, reason: str) -> None:
        self._client = None
        self._run.log(reason)
