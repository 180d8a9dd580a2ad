"""Runs, trials of sweeps and folds on two worker processes of a Dask cluster on this machine."""

import os
import shutil
import time
from contextlib import nullcontext
from types import SimpleNamespace

import distributed
import pandas as pd
import pytest

from cxrcore import cluster, process, runs, settings
from cxrcore.config import run_config
from cxrcore.errors import Stopped, UserError
from cxrcore.features import gpus
from cxrcore.jobs import queue, run_process
from cxrcore.process import process_id
from cxrcore.progress import ignore_stages
from cxrcore.sweeps import leaderboard, plan, search, sweep
from cxrcore.training import other_splits, pipeline
from cxrcore.training.run_recorder import RunRecorder
from tests import dask_workers

FILES = ["path", "lungs", "lesions"]  # columns of paths in the workspace
OWN = SimpleNamespace(pid=os.getpid(), wait=lambda: None)  # a process that has started
OPTIONS = {"dataset": "phantom", "size": 64, "head": "gap", "epochs": 5}
LONG = OPTIONS | {"epochs": 100_000, "early_stopping": 0}
SETTINGS = {
    "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
    "tap": {"choices": ("block4c_out", "block5_out")},
    "dropout": {"low": 0.0, "high": 0.5},
}


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    with dask_workers.started(tmp_path_factory.mktemp("cluster"), 2) as found:
        yield found


@pytest.fixture
def on_cluster(workers, monkeypatch, phantom, home):
    """Let the cluster compute in its workspace, which has the phantoms."""

    def use():
        dask_workers.use(*workers, monkeypatch)
        if not settings.datasets_folder().exists():
            shutil.copytree(home / "datasets", settings.datasets_folder())

    return use


def _until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)


def _trained(**options):
    chosen = run_config.make(**options)
    return pipeline.run(chosen, runs.create(chosen).folder)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"resampling": {"folds": 3}}, marks=pytest.mark.nightly),
        pytest.param({"resampling": {"folds": 5}}, marks=pytest.mark.nightly),
        pytest.param({"resampling": {"repeats": 3}, "head": "logistic"}, marks=pytest.mark.nightly),
        pytest.param({"resampling": {"folds": 3}, "tune": {"after": "block4c_out"}}, marks=pytest.mark.nightly),
    ],
    ids=["3 folds", "5 folds", "logistic", "tuned"],
)
def test_folds_on_the_cluster_predict_the_same(options, on_cluster):
    local = _trained(**(OPTIONS | options))
    expected, means = local.resampled_predictions().drop(columns=FILES), local.resampling.mean
    on_cluster()
    run = _trained(**(OPTIONS | options))
    pd.testing.assert_frame_equal(run.resampled_predictions().drop(columns=FILES), expected, check_exact=True)
    assert run.resampling.mean == means and run.status.state == "finished"
    assert not (run.folder / "splits").exists()


@pytest.mark.nightly
@pytest.mark.parametrize("trials", [9, 40])
def test_sweep_on_the_cluster_finds_the_same(trials, on_cluster):
    def table(name):
        base = run_config.make(**(OPTIONS | {"epochs": 12})).plain()
        made = sweep.create(name, plan.make({"base": base, "settings": SETTINGS, "trials": trials}))
        search.search(made, ignore_stages)
        return leaderboard.table(made).drop(columns="seconds")

    local = table("compared")
    on_cluster()
    found = table(f"compared{trials}")
    assert len(found) == trials
    pd.testing.assert_frame_equal(found, local, check_exact=True)


def _stopping(made):
    """Return a function that stops a sweep as soon as a trial has some epochs."""

    def progress(*step):
        if any(len(made.trial(number).epochs) > 2 for number in range(2)):
            raise Stopped

    return progress


def test_trials_end_when_the_sweep_is_stopped(on_cluster):
    on_cluster()
    base = run_config.make(**LONG).plain()
    made = sweep.create("stopped", plan.make({"base": base, "settings": SETTINGS, "trials": 2}))
    with pytest.raises(Stopped):
        search.search(made, _stopping(made))
    assert not any((settings.home() / "waiting").iterdir())
    asked = time.monotonic()
    assert sorted(cluster.results(abs, [-1, -2, -3, -4, -5, -6])) == [1, 2, 3, 4, 5, 6]
    assert time.monotonic() - asked < 10, "no worker trains still"
    _until(lambda: not any((made.folder / "trials").iterdir()), 10)


@pytest.fixture
def sign(tmp_path):
    """A file as that of a process that waits for results."""
    file = tmp_path / "sign"
    file.touch()
    return file


@pytest.mark.parametrize("end", [lambda file: file.unlink(), lambda file: os.utime(file, (0, 0))], ids=["stop", "kill"])
def test_trial_ends_when_nobody_waits_for_it(end, sign, phantom, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "local")
    chosen = run_config.make(**LONG)
    made = sweep.create("alone", plan.make({"base": chosen.plain(), "settings": SETTINGS, "trials": 2}))
    before = RunRecorder.on_epoch_end

    def on_epoch_end(recorder, epoch):
        before(recorder, epoch)
        if epoch.epoch == 3:
            end(sign)
        assert epoch.epoch < 5, "it has not ended"

    monkeypatch.setattr(RunRecorder, "on_epoch_end", on_epoch_end)
    with pytest.raises(UserError, match="gave no sign for 60 seconds"):
        cluster._Call(search._train_trial, sign)(search._Task(made, 0, chosen, ()))
    assert not made.trial(0).folder.exists() and cluster.is_wanted()


def test_trial_on_a_worker_with_a_gpu_takes_the_activations_that_are_kept(phantom, monkeypatch):
    chosen = run_config.make(**OPTIONS)
    made = sweep.create("gpu", plan.make({"base": chosen.plain(), "settings": SETTINGS, "trials": 2}))
    pipeline.compute_features(chosen, made.trial(0).folder)
    monkeypatch.setenv("CXR_EXECUTOR", "local")
    monkeypatch.setattr(gpus, "machine", lambda: gpus.MachineGpus(machine="here", gpus=(gpus.Gpu(name="NVIDIA H200"),)))
    monkeypatch.setattr(gpus, "are_in_use", lambda: True)
    (kept,) = settings.features_folder().glob("*/about.json")
    assert gpus.engine_for("cxrtiny") == gpus.MIXED
    assert cluster._Call(search._train_trial)(search._Task(made, 0, chosen, ())).result
    assert [*settings.features_folder().glob("*/about.json")] == [kept]


def test_fold_ends_when_nobody_waits_for_it(sign, trained, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "local")
    (trained.folder / "pause").touch()

    def fold(run):
        sign.unlink()
        other_splits._StopAndPauseOnWorker(run).check()

    with pytest.raises(UserError, match="gave no sign"):
        cluster._Call(fold, sign)(trained)


def test_task_that_did_not_look_is_finished(sign, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "local")
    assert cluster._Call(lambda task: sign.unlink() or task, sign)(3) == 3


def test_sign_of_a_killed_process_is_removed(home, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    (home / "waiting").mkdir(parents=True)
    (home / "waiting" / "killed").touch()
    os.utime(home / "waiting" / "killed", (0, 0))
    with cluster._sign() as file, cluster._sign() as other:
        assert {file, other} == set((home / "waiting").iterdir())
    assert not any((home / "waiting").iterdir())
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    with cluster._sign() as file:
        assert file is None


def test_run_of_the_queue_is_trained_by_a_worker(on_cluster):
    local = _trained(**OPTIONS).predictions().drop(columns=FILES)
    on_cluster()
    run = queue.submit(run_config.make(**OPTIONS))
    assert run.status.state == "running" and run.status.worker
    _until(lambda: run.status.pid != -1)
    assert run.status.pid != os.getpid() and run.status.host == process_id().host != ""
    with cluster.connected() as connection:
        assert [name for worker in connection.workers for name in worker.functions] == ["begin"]
    _until(lambda: run.status.state != "running")
    assert run.status.state == "finished", run.status.message
    pd.testing.assert_frame_equal(run.predictions().drop(columns=FILES), local, check_exact=True)
    assert "training" in (run.folder / "log.txt").read_text() and (run.folder / "heartbeat").is_file()


def test_run_on_a_worker_can_be_stopped(on_cluster):
    on_cluster()
    run = queue.submit(run_config.make(**LONG))
    _until(lambda: len(run.epochs) > 2)
    queue.stop(run)
    assert run.status.state == "stopped" and run.metrics.n_test == 12


def test_run_waits_while_the_scheduler_does_not_answer(phantom, monkeypatch):
    monkeypatch.setattr(queue, "_failed_at", queue._failed_at)
    monkeypatch.setattr(run_process, "_CONNECT_SECONDS", 0.3)
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://127.0.0.1:9")
    run = queue.submit(run_config.make(**OPTIONS))
    assert run.status.state == "queued"
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in str(run.status.message)
    asked = []
    monkeypatch.setattr(run_process, "submit", lambda run, gpu: asked.append(run))
    queue.dispatch()
    assert asked == []  # not before half a minute has passed
    monkeypatch.setattr(queue, "_AGAIN_SECONDS", 0.0)
    queue.dispatch()
    assert asked == [run]


@pytest.fixture
def elsewhere(trained):
    """A run that a process of another machine trains, for two minutes."""
    changes = {"state": "running", "worker": True, "host": "another", "started": time.time() - 120}
    run_process.write_status(trained, trained.status, **changes)
    return trained


def test_heartbeat_of_another_machine_keeps_a_run_alive(elsewhere):
    assert not run_process.is_alive(elsewhere, elsewhere.status)
    beat = elsewhere.folder / "heartbeat"
    beat.touch()
    os.utime(beat, (time.time() - 1000,) * 2)  # of an earlier process of the run
    run_process.write_status(elsewhere, elsewhere.status, started=time.time() - 50)
    assert run_process.is_alive(elsewhere, elsewhere.status)
    run_process.write_status(elsewhere, elsewhere.status, started=time.time() - 120)
    beat.touch()
    assert run_process.is_alive(elsewhere, elsewhere.status)
    os.utime(beat, (time.time() - 70,) * 2)
    assert not run_process.is_alive(elsewhere, elsewhere.status)
    assert not run_process.kill(elsewhere, elsewhere.status)
    queue.mark_dead()
    assert elsewhere.status.state == "failed"


def test_run_that_no_worker_begins_waits_again(trained, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "dask")

    def waiting(seconds):
        changes = {"state": "running", "worker": True, "pid": -1, "started": time.time() - seconds}
        run_process.write_status(trained, trained.status, **changes)
        queue.mark_dead()
        return trained.status.state

    assert waiting(500) == "running" and waiting(700) == "queued"
    text = "No worker of the cluster has begun the run within 10 minutes: all are busy, or"
    assert str(trained.status.message).startswith(text) and queue.waiting() == [trained]


@pytest.fixture
def one_thread(monkeypatch):
    """A cluster with one thread whose workers begin nothing; returns the calls of `Cluster.start`."""
    calls = []
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://127.0.0.1:8786")
    connection = SimpleNamespace(threads=1, start=lambda *call: calls.append(call))
    monkeypatch.setattr(cluster, "connected", lambda seconds: nullcontext(connection))
    return calls


def test_why_a_run_waits_again_is_kept_until_its_process_starts(phantom, one_thread, monkeypatch):
    run = queue.submit(run_config.make(**OPTIONS))
    assert not run.status.message.id
    for _ in range(2):
        run_process.write_status(run, run.status, started=time.time() - 700)
        queue.dispatch()
        queue.dispatch()
        assert run.status.state == "running" and str(run.status.message).startswith("No worker of the cluster has")
    processes = []
    monkeypatch.setattr(run_process.subprocess, "Popen", lambda command, **options: processes.append(options) or OWN)
    ((function, task), *others) = one_thread
    assert others == [(function, task)] * 2
    function(task, "tcp://127.0.0.1:8786")
    assert run.status.pid == os.getpid() and not run.status.message.id and len(processes) == 1


def test_run_that_is_continued_before_its_process_has_ended_is_started_by_the_same_task(
    phantom, one_thread, monkeypatch
):
    run = queue.submit(run_config.make(**OPTIONS))

    class Process:
        pid, count = os.getpid(), 0

        def wait(self):
            Process.count += 1
            if Process.count == 1:
                run_process.write_status(run, run.status, pid=-1)  # as `submit` does for one that was continued

    monkeypatch.setattr(run_process.subprocess, "Popen", lambda command, **options: Process())
    function, task = one_thread[0]
    function(task, "tcp://127.0.0.1:8786")
    assert Process.count == 2 and run.status.pid == os.getpid()


def _noted(file, scheduler):
    with file.open("a") as out:
        out.write("called\n")
    if file.name == "refused":
        raise ValueError("as for another workspace")


@pytest.mark.parametrize("name", ["accepted", "refused"])
def test_call_that_has_not_ended_is_not_made_twice(name, tmp_path, monkeypatch):
    file = tmp_path / name
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as made:
        dask_workers.use(made, tmp_path, monkeypatch)
        tasks = made.scheduler.tasks
        for _ in range(3):
            with cluster.connected() as connection:
                connection.start(_noted, file)
        assert len(tasks) == 1 and not file.exists()
        made.scale(1)
        _until(lambda: file.exists() and not tasks)
        assert file.read_text() == "called\n"
        with cluster.connected() as connection:
            connection.start(_noted, file)
        _until(lambda: file.read_text() == "called\n" * 2 and not tasks)


def test_run_waits_while_the_cluster_has_no_worker(phantom, monkeypatch):
    monkeypatch.setattr(queue, "_failed_at", queue._failed_at)
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://127.0.0.1:8786")
    monkeypatch.setattr(cluster, "connected", lambda seconds: nullcontext(SimpleNamespace(threads=0)))
    run = queue.submit(run_config.make(**OPTIONS))
    assert run.status.state == "queued"
    assert str(run.status.message) == "The cluster has no worker yet. The run waits for one."


@pytest.mark.parametrize(("resources", "needs"), [({"GPU": 1.0}, {"GPU": 1}), ({}, None)])
def test_run_is_given_to_a_worker_with_a_free_gpu(resources, needs, monkeypatch):
    monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://127.0.0.1:8786")
    monkeypatch.setattr(distributed, "fire_and_forget", lambda future: None)
    asked = []
    client = SimpleNamespace(
        scheduler_info=lambda n_workers: {"workers": {"one": {"resources": {}}, "two": {"resources": resources}}},
        submit=lambda *args, **options: asked.append(options["resources"]),
    )
    cluster.Cluster(client).start(print, "run")
    assert asked == [needs]


def test_heartbeat_for_other_machines(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "HEARTBEAT_SECONDS", 0.02)
    file = tmp_path / "heartbeat"
    with process.heartbeat(file):
        assert not file.exists()  # other machines do not share this workspace
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    with process.heartbeat(file):
        os.utime(file, (0, 0))
        _until(lambda: not process.is_silent(file), 5)
        file.unlink()
        time.sleep(0.1)
        assert not file.exists()
    file.touch()
    os.utime(file, (0, 0))
    time.sleep(0.1)
    assert process.is_silent(file)
