"""Activations computed by three worker processes of a Dask cluster on this machine."""

import hashlib
import json
import os
import re
import shutil
import signal
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import requests
from distributed import Client
from PIL import Image

from cxrcore import cluster, runs, settings
from cxrcore.config import run_config
from cxrcore.errors import Stopped, UserError
from cxrcore.features import extract, weights
from cxrcore.features.backbones import get
from cxrcore.features.extract import ExtractionCallbacks
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.training import pipeline
from tests import dask_workers

IMAGES = 300
FILES = ["path", "lungs", "lesions"]  # columns of paths in the workspace
WEIGHTS = weights.resolve(get("cxrtiny"), "bundled")
KEY = FeatureKey("cxrtiny", WEIGHTS.digest, 64, "minus_one_to_one", "block4a_out")


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Three processes of one thread each, and their workspace."""
    with dask_workers.started(tmp_path_factory.mktemp("cluster"), 3) as found:
        yield found


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder, rows = tmp_path_factory.mktemp("images"), []
    for k in range(IMAGES):
        path = folder / f"{k}.png"
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (64, 64), dtype=np.uint8)).save(path)
        rows.append({"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    return pd.DataFrame(rows)


@pytest.fixture
def on_cluster(workers, monkeypatch):
    """Let the cluster compute in its workspace; returns the cluster."""

    return lambda: dask_workers.use(*workers, monkeypatch)


def _never():
    raise AssertionError("the backbone was built in this process")


def _indices(key):
    """Return the images of each shard."""
    return [json.loads(path.read_text()) for path in Store(key).folder.glob("*.index")]


def test_workers_are_listed(on_cluster):
    on_cluster()
    with cluster.connected() as connection:
        assert connection.threads == 3 and re.fullmatch(r"http://127\.0\.0\.1:\d+/status", connection.page)
        answer = requests.get(connection.page, timeout=30)
        assert answer.ok and "needs bokeh" not in answer.text and "<title>Dask Diagnostic UI</title>" in answer.text
        assert [(worker.tasks, worker.threads) for worker in connection.workers] == [(0, 1)] * 3
        assert all(worker.address.startswith("tcp://127.0.0.1:") for worker in connection.workers)
        assert all(10**7 < worker.memory < worker.limit for worker in connection.workers)


def test_activations_equal_those_of_one_process_exactly(table, on_cluster):
    local = extract.activations(table, KEY, WEIGHTS, lambda: KEY.build(WEIGHTS)).rows(range(IMAGES))
    on_cluster()
    reports = []
    callbacks = ExtractionCallbacks(progress=lambda *report: reports.append(report))
    found = extract.activations(table, KEY, WEIGHTS, _never, callbacks).rows(range(IMAGES))
    assert (found == local).all()
    assert reports[-1] == (300, 300) and len(reports) == 10
    assert sorted(map(len, _indices(KEY))) == [12] + [32] * 9
    extract.activations(table, KEY, WEIGHTS, _never, callbacks)
    assert len(reports) == 10  # nothing was computed again


def test_activations_of_taps_equal_those_of_one_process_exactly(table, on_cluster):
    keys = [replace(KEY, tap=tap, pooled=True, moments=True) for tap in ("block3b_out", "block4c_out", "block5_out")]
    some = table.head(40)
    local = extract.activations_of_taps(some, keys, WEIGHTS, lambda: KEY.build_backbone(WEIGHTS))
    values = [each.rows(range(40)) for each in local]
    on_cluster()
    found = extract.activations_of_taps(some, keys, WEIGHTS, _never)
    assert [each.shape for each in values] == [(40, 1, 1, 128), (40, 1, 1, 192), (40, 1, 1, 128)]
    for each, expected in zip(found, values, strict=True):
        assert (each.rows(range(40)) == expected).all()


@pytest.mark.nightly
@pytest.mark.parametrize("options", [{}, {"head": "gap", "epochs": 3, "tap": "block4c_out"}], ids=["logistic", "gap"])
def test_run_on_the_cluster_predicts_the_same(options, phantom, home, on_cluster):
    chosen = run_config.make(dataset="phantom", size=64, **options)
    local = pipeline.run(chosen, runs.create(chosen).folder).predictions().drop(columns=FILES)
    on_cluster()
    shutil.copytree(home / "datasets", settings.datasets_folder(), dirs_exist_ok=True)
    found = pipeline.run(chosen, runs.create(chosen).folder).predictions().drop(columns=FILES)
    pd.testing.assert_frame_equal(found, local, check_exact=True)


def test_a_killed_worker_costs_its_block_only(table, on_cluster):
    key, killed = replace(KEY, tap="block3a_out"), []
    local = extract.activations(table, key, WEIGHTS, lambda: key.build(WEIGHTS)).rows(range(IMAGES))
    made = on_cluster()

    def kill(done, total):
        if killed:
            return
        with Client(made, set_as_default=False) as client:
            busy = [address for address, tasks in client.processing().items() if tasks]
        worker = next(each for each in made.workers.values() if each.worker_address == busy[0])
        killed.append(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)

    found = extract.activations(table, key, WEIGHTS, _never, ExtractionCallbacks(progress=kill))
    assert killed and (found.rows(range(IMAGES)) == local).all()
    assert Counter(value for shard in _indices(key) for value in shard) == dict.fromkeys(table["sha256"], 1)


def test_stop_keeps_what_was_computed(table, on_cluster):
    on_cluster()
    key, reports = replace(KEY, tap="block4b_out"), []

    def check():
        if reports:
            raise Stopped

    with pytest.raises(Stopped):
        extract.activations(
            table, key, WEIGHTS, _never, ExtractionCallbacks(lambda *report: reports.append(report), check)
        )
    kept = IMAGES - len(Store(key).missing(table["sha256"]))
    assert 32 <= reports[0][0] <= kept < IMAGES


def test_error_of_a_worker_is_that_of_this_process(table, on_cluster, tmp_path):
    on_cluster()
    gone = table.head(3).assign(path=[str(tmp_path / "gone.png"), *table["path"][1:3]])
    with pytest.raises(UserError, match=r"gone\.png could be read when it was imported, but not now"):
        extract.activations(gone, replace(KEY, tap="block5_out"), WEIGHTS, _never)


def test_worker_without_the_workspace(table, on_cluster, monkeypatch, tmp_path):
    on_cluster()
    monkeypatch.setenv("CXR_HOME", str(tmp_path))
    with pytest.raises(UserError, match=f"uses the workspace .*, not {tmp_path}"):
        extract.activations(table, KEY, WEIGHTS, _never)


@pytest.mark.nightly
def test_task_that_ends_every_worker(on_cluster):
    on_cluster()
    with cluster.connected() as connection, pytest.raises(UserError, match="ended 4 workers of the cluster"):
        list(connection.results(os._exit, [1], lambda: None))


def test_scheduler_that_does_not_answer(table, home, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://127.0.0.1:9")
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.3)
    with pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        extract.activations(table, KEY, WEIGHTS, _never)
