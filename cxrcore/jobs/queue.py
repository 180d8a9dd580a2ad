"""The queue is the run folders themselves: what says `queued` waits, oldest first.

Every change of state happens under one file lock, so two browser tabs, a worker that ends and a second
server agree. Nothing lives in a server's memory.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock

from cxrcore import settings
from cxrcore.config.run_config import RunConfig
from cxrcore.errors import UserError
from cxrcore.i18n import N_
from cxrcore.jobs import processes
from cxrcore.messages import msg
from cxrcore.runs import FAILED, QUEUED, RUNNING, STOPPED, Run, create, listing
from cxrcore.runs import process as process_of
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE

STOP_SECONDS = 1.5
# A run that tests its best epoch on a large dataset, or that another program runs, is not waited for longer.
PATIENCE_SECONDS = 20
_BEFORE_TRAINING = {"starting", "reading", "weights", "backbone", "features"}


def submit(config: RunConfig) -> Run:
    """Queue a run and start it if a place is free.

    Raises:
        UserError: the config does not fit the dataset.
    """
    settings.max_jobs()
    pipeline.check(config)
    run = create(config.model_dump(mode="json"), queued=True)
    dispatch()
    return run


def dispatch() -> None:
    """Mark runs whose process is gone as failed, then start queued runs while places are free.

    Where nothing may be changed it does nothing.
    """
    if settings.read_only():
        return
    with lock():
        states, running = _states(), 0
        for run, status in states:
            if status["state"] == RUNNING:
                running += 1 if processes.alive(status) else 0
                _mark_if_dead(run, status)
        for run in waiting(states)[: max(0, settings.max_jobs() - running)]:
            _start(run)


def waiting(states: list[tuple[Run, dict]] | None = None) -> list[Run]:
    """Return the runs that wait, the next first; `states` are those of all runs, if they have been read already."""
    states = _states() if states is None else states
    ranks = [(rank(status), run.name, run) for run, status in states if status["state"] == QUEUED]
    return [run for _, _, run in sorted(ranks, key=lambda row: row[:2])]


def rank(status: dict) -> float:
    """Return what waiting runs are sorted by: when they came, unless one was moved up."""
    return status.get("rank", status["created"])


def position(run: Run) -> int:
    """Return how many runs are before this queued one: those that run and those that wait longer."""
    states = _states()
    running = sum(status["state"] == RUNNING for _, status in states)
    before = [other.name for other in waiting(states)]
    return running + (before.index(run.name) if run.name in before else 0)


def _states() -> list[tuple[Run, dict]]:
    return [(run, run.status) for run in listing()]


def stop(run: Run) -> None:
    """Stop a run within 2 seconds and return when it has ended.

    A queued run is taken off the queue. A run that has finished an epoch keeps its best one, evaluates it
    and saves its model, for which large datasets may take longer than these 2 seconds.

    Raises:
        UserError: the run does not run or wait.
    """
    with lock():
        status = run.status
        if status["state"] == QUEUED:
            _take_off(run, status)
            return
    if status["state"] != RUNNING:
        raise UserError("Run {name} has ended already ({state}).", name=run.name, state=status["state"])
    (run.folder / STOP_FILE).touch()  # a paused run notices this too
    _wait_for_end(run)
    dispatch()


def _take_off(run: Run, status: dict) -> None:
    """Take a run off the queue; one that was to go on is again what it was."""
    if before := status.get("before"):
        run.write("config.json", before["config"])
        run.write("status.json", before["status"])
    else:
        run.write("status.json", status | {"state": STOPPED, "message": N_("Taken off the queue.")})


def _wait_for_end(run: Run) -> None:
    start = time.monotonic()
    while (status := run.status)["state"] == RUNNING and processes.alive(status):
        waited = time.monotonic() - start
        if waited > PATIENCE_SECONDS:
            return
        if waited > STOP_SECONDS and status.get("worker") and _nothing_to_keep(run, status):
            processes.kill(status)
            message = N_("Stopped before the first epoch, so nothing was learned.")
            run.write("status.json", run.status | {"state": STOPPED, "message": message, "ended": time.time()})
            return
        time.sleep(0.05)


def _nothing_to_keep(run: Run, status: dict) -> bool:
    """Tell whether a run may be ended at once: before its first epoch nothing is lost."""
    stage = status.get("stage")
    return stage in _BEFORE_TRAINING or (stage == "training" and not run.epochs)


def _start(run: Run) -> None:
    with (run.folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cxrcore.jobs.worker", str(run.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,  # a server that is stopped with Ctrl-C leaves its runs alone
        )
    now = time.time()
    running = {"state": RUNNING, "stage": "starting", "stage_started": now, "started": now}
    run.write("status.json", run.status | running | process_of(process.pid) | {"worker": True})


def environment() -> dict[str, str]:
    """Return the worker's environment: the same workspace and the same package, wherever the server was started."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"CXR_HOME": str(settings.home()), "PYTHONPATH": os.pathsep.join(paths)}


def _mark_if_dead(run: Run, status: dict) -> None:
    if processes.alive(status):
        return
    status = run.status  # it may have ended well between the two looks
    if status["state"] == RUNNING:
        message = msg(
            "The process ended without a word during the stage '{stage}': it was killed, or the machine ran out of "
            "memory. What it wrote so far is kept: it can be continued.",
            stage=status.get("stage", "starting"),
        )
        run.write("status.json", status | {"state": FAILED, "message": message, "ended": time.time()})


def lock() -> FileLock:
    """Return the lock under which states change."""
    settings.require_writable()
    settings.home().mkdir(parents=True, exist_ok=True)
    return FileLock(settings.home() / "jobs.lock", timeout=20)
