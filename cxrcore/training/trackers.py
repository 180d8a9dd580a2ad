"""Experiment trackers that a run is also written to: TensorBoard's event files, and an MLflow server."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import EpochMetrics, Run
from cxrcore.schema import Stored

_SECONDS_BETWEEN_BATCHES = 2
_METRICS_IN_A_BATCH = 1000  # MLflow's limit
_PLOTTED = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


class Tracker(ABC):
    """Receives the metrics of every epoch and of the test."""

    @abstractmethod
    def on_epoch_end(self, epoch: EpochMetrics) -> None:
        """Take the metrics of an epoch."""

    @abstractmethod
    def on_test_end(self, metrics: ClassificationMetrics) -> None:
        """Take the test metrics."""

    @abstractmethod
    def end(self, state: str) -> None:
        """Close what is open: the run has ended in this state."""


def requested(run: Run) -> list[Tracker]:
    """Return the trackers that the run's config and the environment ask for."""
    found: list[Tracker] = []
    if (run.folder / "config.json").is_file() and run.config.tensorboard:
        found.append(TensorBoard(run))
    if os.environ.get("MLFLOW_TRACKING_URI"):
        found.append(MLflow(run))
    return found


class TensorBoard(Tracker):
    """Scalars by epoch in `tensorboard/` of the run's folder: `tensorboard --logdir FOLDER`.

    They are written without the package TensorBoard, which `tf.summary.scalar` would need.
    """

    def __init__(self, run: Run) -> None:
        self._folder = run.folder / "tensorboard"
        self._writer: Any = None

    def on_epoch_end(self, epoch: EpochMetrics) -> None:
        """Write the scalars of an epoch."""
        self._write({name: getattr(epoch, name) for name in _PLOTTED}, epoch.epoch)

    def on_test_end(self, metrics: ClassificationMetrics) -> None:
        """Write the test accuracy."""
        if metrics.accuracy.value is not None:
            self._write({"test_accuracy": metrics.accuracy.value}, 0)

    def end(self, state: str) -> None:
        """Close the file."""
        if self._writer:
            self._writer.close()

    def _write(self, values: dict[str, float], step: int) -> None:
        from cxrcore.features.keras_setup import tf

        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        kind = tf.compat.v1.SummaryMetadata
        scalar = kind(plugin_data=kind.PluginData(plugin_name="scalars"))
        with self._writer.as_default(step=step):  # flushes at its end
            for name, value in values.items():
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=scalar)


class MLflowRun(Stored):
    """`mlflow.json`: the run on the server, which a continued run continues too."""

    run_id: str


class MLflow(Tracker):
    """A run on the server that MLFLOW_TRACKING_URI names. An error of the server is written to the run's log and ends
    the logging; the training continues.
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
        file = self._run.folder / "mlflow.json"
        if known := MLflowRun.read_if_present(file):
            client.update_run(known.run_id, status="RUNNING")
            self._id = known.run_id
        else:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "chest X-ray studio")
            experiment = client.get_experiment_by_name(name)
            number = experiment.experiment_id if experiment else client.create_experiment(name)
            self._id = client.create_run(number, run_name=self._run.name).info.run_id
            params = [Param(key, str(value)[:500]) for key, value in self._run.settings.items()]
            client.log_batch(self._id, params=params)
            MLflowRun(run_id=self._id).write(file)
        self._client = client

    def on_epoch_end(self, epoch: EpochMetrics) -> None:
        """Send the metrics of an epoch, several epochs at a time."""
        self._add({name: getattr(epoch, name) for name in _PLOTTED}, epoch.epoch)
        if time.monotonic() - self._sent > _SECONDS_BETWEEN_BATCHES:
            self._guarded(self._send)

    def on_test_end(self, metrics: ClassificationMetrics) -> None:
        """Send the test accuracy with its interval."""
        found = metrics.accuracy
        values = {"test_accuracy": found.value, "test_accuracy_low": found.low, "test_accuracy_high": found.high}
        self._add({name: value for name, value in values.items() if value is not None})
        self._guarded(self._send)

    def end(self, state: str) -> None:
        """Send the rest and close the server's run."""
        self._guarded(self._send)
        status = {"finished": "FINISHED", "stopped": "KILLED"}.get(state, "FAILED")
        self._guarded(lambda: self._client and self._client.set_terminated(self._id, status))

    def _add(self, values: dict[str, float], step: int = 0) -> None:
        now = int(1000 * time.time())
        self._waiting += [(name, value, now, step) for name, value in values.items()]

    def _send(self) -> None:
        while self._client and self._waiting:
            batch = self._waiting[:_METRICS_IN_A_BATCH]
            self._client.log_batch(self._id, metrics=[self._metric(*row) for row in batch])
            self._waiting = self._waiting[_METRICS_IN_A_BATCH:]
            self._sent = time.monotonic()

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except ImportError:
            self._give_up("MLFLOW_TRACKING_URI is set, but MLflow is not installed: pip install 'cxrcore[mlflow]'.")
        except Exception as error:  # whatever a server does, the training continues
            self._give_up(f"MLflow: {type(error).__name__}: {error}")

    def _give_up(self, reason: str) -> None:
        self._client = None
        self._run.log(reason)
