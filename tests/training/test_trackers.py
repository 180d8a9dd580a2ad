"""TensorBoard's event files, and MLflow's own server."""

import sys
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.config.run_config import merge, validated
from cxrcore.runs import EpochMetrics
from cxrcore.training import pipeline, trackers

SCALARS = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}


def _run(**values):
    config = run_config.make(**({"dataset": "phantom", "size": 64, "head": "gap", "epochs": 4} | values))
    return pipeline.run(config, runs.create(config).folder)


def _epoch(number):
    return EpochMetrics(
        epoch=number,
        loss=1 / number,
        accuracy=0.5,
        val_loss=2 / number,
        val_accuracy=0.25,
        learning_rate=0.01,
        seconds=0.1,
    )


def _read(folder):
    """Return the scalars that TensorBoard reads: name to (steps, values)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    found = EventAccumulator(str(folder))
    found.Reload()
    names = found.Tags()["tensors"]
    assert all(found.SummaryMetadata(name).plugin_data.plugin_name == "scalars" for name in names)
    return {
        name: (
            [event.step for event in found.Tensors(name)],
            [float(make_ndarray(event.tensor_proto)) for event in found.Tensors(name)],
        )
        for name in names
    }


def test_tensorboard_reads_the_curves_of_a_run(phantom):
    run = _run(tensorboard=True)
    found = _read(run.folder / "tensorboard")
    assert set(found) == SCALARS | {"test_accuracy"}
    steps, values = found["val_loss"]
    assert steps == [1, 2, 3, 4] and values == pytest.approx([epoch.val_loss for epoch in run.epochs], rel=1e-6)
    assert found["test_accuracy"][1] == pytest.approx([run.results.test.accuracy.value])


def test_tensorboard_can_be_read_after_every_epoch(home, monkeypatch):
    """Also where the package TensorBoard is not installed."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tensorboard.plugins.scalar.summary_v2", None)
        run = runs.create(run_config.make(dataset="d", tensorboard=True))
        (tracker,) = trackers.requested(run)
        written = []
        for number in (1, 2):
            tracker.on_epoch_end(_epoch(number))
            written.append(sum(file.stat().st_size for file in (run.folder / "tensorboard").iterdir()))
    found = _read(run.folder / "tensorboard")  # before the file is closed
    assert set(found) == SCALARS and found["loss"] == ([1, 2], [1.0, 0.5]) and written[0] < written[1]
    tracker.end("finished")


def test_no_tracker_without_request(home):
    assert trackers.requested(runs.create(run_config.make(dataset="d"))) == []


class FakeClient:
    """Takes what an MLflow server takes, with its limit of 1,000 metrics per request."""

    def __init__(self):
        self.metrics, self.statuses = [], []
        FakeClient.last = self

    def get_experiment_by_name(self, name):
        return SimpleNamespace(experiment_id="1")

    def create_run(self, experiment, run_name):
        return SimpleNamespace(info=SimpleNamespace(run_id="7"))

    def log_batch(self, run_id, metrics=(), params=()):
        assert len(metrics) <= 1000
        self.metrics += metrics

    def set_terminated(self, run_id, status):
        self.statuses.append(status)


def test_all_waiting_metrics_are_sent_to_mlflow(home, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.setattr(mlflow, "MlflowClient", FakeClient)
    monkeypatch.setattr(trackers, "_SECONDS_BETWEEN_BATCHES", np.inf)  # as where epochs take milliseconds
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    (tracker,) = trackers.requested(runs.create(run_config.make(dataset="d")))
    for number in range(1, 601):
        tracker.on_epoch_end(_epoch(number))
    tracker.end("stopped")
    client = FakeClient.last
    assert len(client.metrics) == 3000 and client.statuses == ["KILLED"]
    assert [metric.step for metric in client.metrics if metric.key == "loss"] == list(range(1, 601))
    assert {metric.key for metric in client.metrics} == SCALARS


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of the server that mlflow-skinny contains, and the paths that are requested of it.

    The store is one per process.
    """
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    from mlflow.server import app
    from mlflow.server.handlers import initialize_backend_stores
    from werkzeug.serving import make_server

    folder = tmp_path_factory.mktemp("mlflow")
    initialize_backend_stores(f"sqlite:///{folder / 'mlflow.db'}", default_artifact_root=str(folder / "artifacts"))
    mlflow.set_tracking_uri(None)  # it was set to the store's, so that clients would not ask the server
    requested = []

    def recorded(environment, respond):
        requested.append(environment["PATH_INFO"])
        return app(environment, respond)

    served = make_server("127.0.0.1", 0, recorded, threaded=True)
    thread = Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}", requested
    served.shutdown()
    thread.join()


def test_run_is_logged_to_an_mlflow_server_and_continued_there(phantom, server, monkeypatch):
    from mlflow import MlflowClient

    address, requested = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    run = _run()
    assert "/api/2.0/mlflow/runs/log-batch" in requested
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("chest X-ray studio")
    (logged,) = client.search_runs([experiment.experiment_id])
    assert logged.info.run_name == run.name and logged.info.status == "FINISHED"
    assert logged.data.params["learning_rate"] == "0.005" and logged.data.params["split.kind"] == "patient"
    accuracy = run.results.test.accuracy
    assert logged.data.metrics["test_accuracy"] == pytest.approx(accuracy.value)
    assert logged.data.metrics["test_accuracy_low"] == pytest.approx(accuracy.low)
    points = client.get_metric_history(logged.info.run_id, "val_loss")
    assert [point.step for point in points] == [1, 2, 3, 4]
    assert [point.value for point in points] == pytest.approx([epoch.val_loss for epoch in run.epochs], rel=1e-6)
    pipeline.run(validated(merge(run.config.plain(), {"epochs": 6})), run.folder)
    (same,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(same.info.run_id, "val_loss")
    assert {point.step for point in history} == set(range(1, 7)) and same.info.status == "FINISHED"


def test_unreachable_mlflow_server_does_not_end_the_training(phantom, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run = _run(epochs=1)
    assert run.status.state == "finished" and "MLflow" in run.log_tail()
