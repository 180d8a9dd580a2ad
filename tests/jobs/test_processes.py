"""A process is told from a later one of its number without the clock, and only a worker of the very run is ended."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.jobs import processes, queue, run_process, tasks
from cxrcore.runs import ProcessId, RunStatus, process_id

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have the time of the start only")


@pytest.fixture
def sleeper():
    """A process that does nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@LINUX
@pytest.mark.parametrize("step", [-86_400 * 365, -2, 2, 3600])
def test_a_step_of_the_clock_neither_ends_nor_revives_a_process(monkeypatch, sleeper, step):
    process, other = process_id(sleeper.pid), process_id()
    true_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: true_time(self) + step)
    assert processes.alive(process)
    assert not processes.alive(process.model_copy(update={"pid_started": other.pid_started - 1}))
    assert not processes.alive(process.model_copy(update={"pid_boot": "an earlier start of the machine"}))
    sleeper.kill()
    sleeper.wait()
    assert not processes.alive(process)


def test_process_of_an_older_status_file_is_found(tmp_path):
    """Earlier versions kept the seconds since 1970."""
    file = tmp_path / "status.json"
    values = {"schema_version": 2, "state": "running", "pid": os.getpid()}
    file.write_text(json.dumps(values | {"pid_started": psutil.Process().create_time()}))
    assert RunStatus.read(file).pid_boot == "" and processes.alive(RunStatus.read(file))
    file.write_text(json.dumps(values | {"pid_started": psutil.Process().create_time() + 5}))
    assert not processes.alive(RunStatus.read(file))


def test_without_a_boot_id_the_time_of_the_start_counts(monkeypatch, tmp_path):
    monkeypatch.setattr("cxrcore.process._BOOT_ID", tmp_path / "none")
    found = process_id()
    assert found == ProcessId(pid=os.getpid(), pid_started=psutil.Process().create_time()) and processes.alive(found)


@pytest.mark.parametrize("pid", [-1, 0, 1, 2, "this", "parent", 2**31 - 1, 2**31, 2**63 - 1])
def test_a_made_up_process_is_never_killed(home, monkeypatch, pid):
    """Not even one that is there, with the right time of its start: it is not a worker of this run."""
    killed = []
    monkeypatch.setattr(psutil.Process, "kill", killed.append)
    run = runs.create(run_config.make(dataset="d", size=64))
    pid = {"this": os.getpid(), "parent": os.getppid()}.get(pid, pid)
    known = process_id(pid) if 0 < pid < 2**31 and psutil.pid_exists(pid) else ProcessId(pid=pid, pid_started=7.0)
    run_process.write_status(run, run.status, worker=True, **dict(known))
    tasks.TaskStatus(state="running", **dict(known)).write(run.folder / "tasks" / "shortcut.json")
    assert tasks.status(run, "shortcut").state == "failed"
    tasks.stop(run, "shortcut")
    start = time.monotonic()
    queue.stop(run)
    assert time.monotonic() - start < 1 and run.status.state == "failed" and killed == []


@pytest.mark.parametrize("pid", ["1.5", '"x"', "null", "NaN", "[1]", str(10**30)])
def test_a_process_number_that_is_none_is_a_damaged_file(home, pid):
    run = runs.create(run_config.make(dataset="d", size=64))
    text = (run.folder / "status.json").read_text()
    (run.folder / "status.json").write_text(text.replace(f'"pid": {os.getpid()}', f'"pid": {pid}'))
    (found,) = runs.damaged()
    assert "status.json is damaged" in str(found.message)
    queue.dispatch()


def test_only_the_worker_of_the_very_run_is_killed(home):
    """A worker of another run has another folder at the end of its command line."""
    code = "import time; time.sleep(60)"
    mine = runs.create(run_config.make(dataset="d", size=64))
    process = subprocess.Popen([sys.executable, "-c", code, *run_process.work(mine)])
    found = process_id(process.pid)
    other = runs.Run(mine.folder.with_name("other"))
    processes.kill(found, run_process.work(other))
    assert process.poll() is None and not processes.alive(found, run_process.work(other))
    processes.kill(found, run_process.work(mine))
    process.wait(10)
    assert not psutil.pid_exists(process.pid)


def test_a_run_continued_by_another_program_is_not_taken_for_dead(trained):
    """`cxr runs continue` works in its own process, whatever trained the run before."""
    from cxrcore.training.run_recorder import RunRecorder

    run_process.write_status(trained, trained.status, worker=True)
    RunRecorder(trained).stage("training", 3)
    assert trained.status.state == "running" and not trained.status.worker
    queue.dispatch()
    assert trained.status.state == "running"


def test_a_step_of_the_clock_does_not_silence_a_run(trained, monkeypatch):
    from cxrcore.training.run_recorder import RunRecorder

    recorder = RunRecorder(trained)
    recorder.stage("training", 100)
    earlier = time.time() - 86_400
    monkeypatch.setattr(time, "time", lambda: earlier)
    time.sleep(0.3)
    recorder.progress(7, 100)
    assert trained.status.done == 7


def test_a_run_goes_on_when_its_server_ends_and_is_marked_when_both_are_killed(phantom):
    """A server that is asked to end (SIGTERM) leaves its runs alone; a second server sees them and starts no other."""
    from cxrcore.maintenance import doctor

    code = (
        "import time; from cxrcore.config import run_config; from cxrcore.jobs import queue\n"
        "queue.submit(run_config.make(dataset='phantom', size=64, head='gap', epochs=100000, early_stopping=0))\n"
        "time.sleep(60)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], env=run_process.environment())
    end = time.monotonic() + 60
    while not runs.listing() or runs.listing()[0].status.state != "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    server.terminate()
    server.wait(10)
    (run,) = runs.listing()
    queue.dispatch()
    assert run.status.state == "running" and processes.alive(run.status, run_process.work(run)) and doctor.check() == []
    psutil.Process(run.status.pid).kill()
    while processes.alive(run.status):
        time.sleep(0.05)
    assert [str(problem.message) for problem in doctor.check()] == [
        f"Run {run.name} is marked as running, but its process has ended."
    ]
    assert doctor.repair(doctor.check()) == [] and run.status.state == "failed"
