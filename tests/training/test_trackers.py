"""TensorBoard's files, and a real MLflow server."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.training import pipeline

SERVER = Path(sys.prefix) / "server" / "bin" / "mlflow"


def _run(**values):
    made = run_config.make(**({"dataset": "phantom", "size": 64, "epochs": 4} | values))
    return pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)


def test_tensorboard_reads_the_curves(phantom):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = _run(tensorboard=True)
    found = EventAccumulator(str(run.folder / "tensorboard"))
    found.Reload()
    assert set(found.Tags()["scalars"]) == {
        "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "test_accuracy",
    }  # fmt: skip
    points = found.Scalars("val_loss")
    assert [point.step for point in points] == [1, 2, 3, 4]
    values = [epoch["val_loss"] for epoch in run.epochs]
    assert [point.value for point in points] == pytest.approx(values, rel=1e-6)
    assert not (_run().folder / "tensorboard").exists(), "only on request"


@pytest.fixture
def server(tmp_path):
    """The address of a real `mlflow server`, from the environment that `make` keeps for it."""
    if not SERVER.is_file():
        pytest.skip("no MLflow server is installed in .venv/server (`make .venv/dev` does)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLFLOW"))}
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    command = [SERVER, "server", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", store]
    command += ["--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1"]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=2)
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "server.log").read_text()
            time.sleep(0.2)
    yield address
    os.killpg(process.pid, 9)


def test_a_run_is_logged_to_an_mlflow_server_and_goes_on_there(phantom, server, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    run = _run()
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("chest X-ray studio")
    (logged,) = client.search_runs([experiment.experiment_id])
    assert logged.info.run_name == run.name and logged.info.status == "FINISHED"
    assert logged.data.params["learning_rate"] == "0.005" and logged.data.params["split.kind"] == "patient"
    assert logged.data.metrics["test_accuracy"] == pytest.approx(run.metrics["accuracy"]["value"])
    points = client.get_metric_history(logged.info.run_id, "val_loss")
    assert [point.step for point in points] == [1, 2, 3, 4]
    assert [point.value for point in points] == pytest.approx([epoch["val_loss"] for epoch in run.epochs], rel=1e-6)
    longer = run_config.RunConfig(**(run.config | {"epochs": 6}))
    pipeline.run(longer, run.folder)
    (same,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(same.info.run_id, "val_loss")
    assert {point.step for point in history} == set(range(1, 7)) and same.info.status == "FINISHED"


def test_a_server_that_is_not_there_costs_no_training(phantom, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run = _run()
    assert run.status["state"] == "finished" and "MLflow" in run.log_tail()
