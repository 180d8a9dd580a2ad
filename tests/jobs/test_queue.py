"""The queue: waiting, stopping, killed workers, with real worker processes on a small dataset."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.jobs import processes, queue, run_process, worker

LONG = {"dataset": "phantom", "size": 64, "head": "gap", "epochs": 100_000, "early_stopping": 0, "plateau": None}


@pytest.fixture(autouse=True)
def no_leftovers(home):
    yield
    for run in runs.listing():
        if run.status.state in runs.LIVE:
            processes.kill(run.status, run_process.work(run))


def _wait(run, reached, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if reached(run):
            return
        time.sleep(0.05)
    raise AssertionError(f"not reached; {run.status}\n{run.log_tail()}")


def _state(*states):
    return lambda run: run.status.state in states


def _has_epochs(run):
    return len(run.epochs) > 3


def test_second_run_waits_and_starts_when_the_first_ends(phantom):
    first, second = queue.submit(run_config.make(**LONG)), queue.submit(run_config.make(**LONG))
    assert first.status.state == "running" and second.status.state == "queued"
    assert queue.position(second) == 1
    assert first.status.pid != os.getpid()
    _wait(first, _has_epochs)
    queue.stop(first)
    assert first.status.state == "stopped" and first.metrics.n_test == 12
    _wait(second, _state("running"))


def test_stopped_run_keeps_its_best_epoch(phantom):
    run = queue.submit(run_config.make(**LONG))
    _wait(run, _has_epochs)
    start = time.monotonic()
    queue.stop(run)
    assert time.monotonic() - start < 10  # 2 s on a quiet machine; a test must not fail on a busy one
    assert run.status.state == "stopped"
    assert run.metrics.test.accuracy.n == 12 and run.model_file.name == "head.keras"


def test_run_is_stopped_while_the_libraries_load(phantom):
    run = queue.submit(run_config.make(**LONG))
    _wait(run, lambda run: run.status.stage in {"starting", "reading", "backbone"})
    start = time.monotonic()
    queue.stop(run)
    assert time.monotonic() - start < 10
    assert run.status.state == "stopped" and not processes.alive(run.status)


def test_waiting_run_is_taken_off_the_queue(phantom):
    first, second = queue.submit(run_config.make(**LONG)), queue.submit(run_config.make(**LONG))
    queue.stop(second)
    assert second.status.state == "stopped" and first.status.state == "running"


def test_killed_worker_is_marked_as_failed_and_the_next_run_starts(phantom):
    first, second = queue.submit(run_config.make(**LONG)), queue.submit(run_config.make(**LONG))
    _wait(first, _has_epochs)
    os.kill(first.status.pid, signal.SIGKILL)
    _wait(first, lambda run: not processes.alive(run.status))
    queue.dispatch()
    assert first.status.state == "failed" and "killed" in str(first.status.message)
    assert len(first.epochs) > 3 and first.log_tail().endswith("training")
    assert second.status.state == "running"


def test_of_two_runs_submitted_at_once_one_waits(phantom):
    made = run_config.make(**LONG)
    threads = [threading.Thread(target=queue.submit, args=(made,)) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(run.status.state for run in runs.listing()) == ["queued", "running"]


# A server that starts, in place of a worker, a process of the same command line that does nothing, and notes it.
_SERVER = """
import subprocess, sys, time
from pathlib import Path
from cxrcore.jobs import queue

folder, popen = Path(sys.argv[1]), subprocess.Popen

def start(command, **options):
    with (folder / "started").open("a") as file:
        file.write(command[-1] + chr(10))
    time.sleep(0.1)
    return popen([command[0], "-c", "import time; time.sleep(100)", *command[1:]], **options)

subprocess.Popen = start
(folder / sys.argv[2]).touch()
while not (folder / "go").exists():
    time.sleep(0.001)
for _ in range(3):
    queue.dispatch()
"""


def test_two_servers_on_one_workspace_start_each_run_once(home, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_MAX_JOBS", "3")
    queued = [runs.create(run_config.make(**LONG), queued=True) for _ in range(5)]
    servers = [
        subprocess.Popen([sys.executable, "-c", _SERVER, str(tmp_path), name], env=run_process.environment())
        for name in ("first", "second")
    ]
    deadline = time.monotonic() + 60
    while not all((tmp_path / name).exists() for name in ("first", "second")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [server.wait(60) for server in servers] == [0, 0]
    assert (tmp_path / "started").read_text().split() == [str(run.folder) for run in queued[:3]]
    assert [run.status.state for run in queued] == ["running"] * 3 + ["queued"] * 2
    assert len({run.status.pid for run in queued[:3]}) == 3


def test_max_jobs_allows_several_runs_at_once(phantom, monkeypatch):
    monkeypatch.setenv("CXR_MAX_JOBS", "2")
    found = [queue.submit(run_config.make(**LONG)) for _ in range(3)]
    assert [run.status.state for run in found] == ["running", "running", "queued"]


@pytest.mark.parametrize("text", ["0", "many", "-1"])
def test_invalid_max_jobs_is_an_error(phantom, monkeypatch, text):
    monkeypatch.setenv("CXR_MAX_JOBS", text)
    with pytest.raises(UserError, match=f"CXR_MAX_JOBS .* Received: '{text}'"):
        queue.submit(run_config.make(**LONG))
    assert runs.listing() == []


def test_reused_process_number_is_not_the_run(phantom):
    assert processes.alive(runs.process_id())
    assert not processes.alive(runs.ProcessId(pid=os.getpid(), pid_started=1.0))


def test_run_of_another_program_is_asked_to_stop_but_not_killed(phantom, monkeypatch):
    monkeypatch.setattr(queue, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(queue, "PATIENCE_SECONDS", 0.3)
    run = runs.create(run_config.make(**LONG))  # of this process: killing it would end the test
    queue.dispatch()
    assert run.status.state == "running" and run.status.pid == os.getpid()
    queue.stop(run)
    assert (run.folder / "stop").exists() and run.status.state == "running"
    run_process.write_status(run, run.status, state="finished")


def test_ended_run_cannot_be_stopped(trained):
    with pytest.raises(UserError, match="ended already"):
        queue.stop(trained)


def test_failed_run_has_a_message(phantom, home, monkeypatch):
    monkeypatch.setenv("CXR_DATA_ROOTS", str(home))
    file = home / "no.weights.h5"
    file.write_text("no weights")
    run = queue.submit(run_config.make(dataset="phantom", size=64, weights="file", weights_file=str(file)))
    _wait(run, _state("failed"))
    assert "no.weights.h5" in str(run.status.message)


def test_worker_that_the_queue_does_not_name_leaves_the_run_in_the_queue(phantom):
    """The process that started it was killed before it wrote so: the next free worker starts the run."""
    run = runs.create(run_config.make(dataset="phantom", size=64), queued=True)
    before = run.status
    assert worker.main(run.folder) == 3 and run.status == before


def test_dispatch_takes_the_lock_only_if_a_run_has_ended_or_can_start(home, monkeypatch):
    running = runs.create(run_config.make(dataset="d", size=64))  # belongs to this process
    runs.create(run_config.make(dataset="d", size=64), queued=True)
    locked = []
    monkeypatch.setattr(run_process, "submit", lambda run, gpu: None)
    lock = run_process.lock
    monkeypatch.setattr(run_process, "lock", lambda: locked.append(1) or lock())
    queue.dispatch()
    assert locked == [], "the only place is taken"
    monkeypatch.setenv("CXR_MAX_JOBS", "2")
    queue.dispatch()
    assert len(locked) == 1
    monkeypatch.setenv("CXR_MAX_JOBS", "1")
    run_process.write_status(running, running.status, pid_started=0.0)
    queue.dispatch()
    assert len(locked) == 2 and running.status.state == "failed"


def test_runs_take_turns_on_the_gpus_of_the_machine(phantom, monkeypatch):
    monkeypatch.setenv("CXR_MAX_JOBS", "4")
    monkeypatch.setattr(queue.gpus, "assignments", lambda: ["3", "5"])
    seen = []

    class Popen:
        pid = os.getpid()

        def __init__(self, command, env, **more):
            seen.append(env["CUDA_VISIBLE_DEVICES"])

    monkeypatch.setattr(run_process.subprocess, "Popen", Popen)
    monkeypatch.setattr(run_process.processes, "alive", lambda process, work: True)
    made = [queue.submit(run_config.make(dataset="phantom", size=64)) for _ in range(3)]
    assert seen == ["3", "5"] and [run.status.gpu for run in made] == ["3", "5", ""]
    assert [run.status.state for run in made] == ["running", "running", "queued"]
    run_process.write_status(made[0], made[0].status, state="finished")
    queue.dispatch()
    assert seen == ["3", "5", "3"] and made[2].status.gpu == "3"


def test_run_with_a_folder_in_place_of_its_log_fails_and_the_next_one_starts(phantom, monkeypatch):
    damaged = runs.create(run_config.make(dataset="phantom", size=64), queued=True)
    (damaged.folder / "log.txt").mkdir()
    queue.dispatch()
    assert damaged.status.state == "failed" and "log.txt is missing or damaged" in str(damaged.status.message)
    assert queue.submit(run_config.make(**LONG)).status.state == "running"
