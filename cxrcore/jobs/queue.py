"""The queue consists of the run folders themselves: a run in the state `queued` waits, oldest first.

Every change of state happens under one file lock, so two browser tabs, a worker that ends and a second server agree.
Nothing is kept in a server's memory.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock

from cxrcore import settings
from cxrcore.config.run_config import RunConfig, validated
from cxrcore.errors import UserError
from cxrcore.features import weights
from cxrcore.jobs import processes
from cxrcore.messages import Message, msg
from cxrcore.runs import FAILED, QUEUED, RUNNING, STOPPED, Run, RunStatus, create, listing, process_id, state_label
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE

STOP_SECONDS = 1.5
# A run that tests its best epoch on a large dataset, or that another program runs, is not waited for longer.
PATIENCE_SECONDS = 20
_BEFORE_TRAINING = {"starting", "reading", "weights", "backbone", "features", "larger"}


def submit(config: RunConfig) -> Run:
    """Queue a run and start it if a place is free.

    Raises:
        UserError: the config does not fit the dataset.
    """
    settings.max_jobs()
    weights.require_permitted(config.weights_file)
    pipeline.check(config)
    run = create(config, queued=True)
    dispatch()
    return run


def dispatch() -> None:
    """Mark runs whose process has ended unexpectedly as failed, then start queued runs while places are free.

    Nothing happens where the dashboard is read-only.
    """
    if settings.read_only():
        return
    with lock():
        statuses, running = _statuses(), 0
        for run, status in statuses:
            if status.state == RUNNING:
                running += 1 if processes.alive(status) else 0
                _mark_if_dead(run, status)
        for run in waiting(statuses)[: max(0, settings.max_jobs() - running)]:
            _start(run)


def waiting(statuses: list[tuple[Run, RunStatus]] | None = None) -> list[Run]:
    """Return the runs that wait, the next first; `statuses` are those of all runs, if they have been read already."""
    statuses = _statuses() if statuses is None else statuses
    ranks = [(rank(status), run.name, run) for run, status in statuses if status.state == QUEUED]
    return [run for _, _, run in sorted(ranks, key=lambda row: row[:2])]


def rank(status: RunStatus) -> float:
    """Return what waiting runs are sorted by: when they were created, unless one was moved up."""
    return status.created if status.rank is None else status.rank


def position(run: Run) -> int:
    """Return how many runs are before this queued one: those that run and those that wait longer."""
    statuses = _statuses()
    running = sum(status.state == RUNNING for _, status in statuses)
    before = [other.name for other in waiting(statuses)]
    return running + (before.index(run.name) if run.name in before else 0)


def write_status(run: Run, status: RunStatus, **changes: object) -> None:
    """Replace the status of a run by `status` with these changes."""
    status.model_copy(update=changes).write(run.folder / "status.json")


def _statuses() -> list[tuple[Run, RunStatus]]:
    return [(run, run.status) for run in listing()]


def stop(run: Run) -> None:
    """Stop a run within 2 seconds and return when it has ended.

    A queued run is taken off the queue. A run that has finished an epoch keeps its best one, evaluates it
    and saves its model, for which large datasets may take longer than these 2 seconds.

    Raises:
        UserError: the run neither runs nor waits.
    """
    with lock():
        status = run.status
        if status.state == QUEUED:
            _take_off_queue(run, status)
            return
    if status.state != RUNNING:
        raise UserError("Run {name} has ended already ({state}).", name=run.name, state=state_label(status.state))
    (run.folder / STOP_FILE).touch()  # a paused run notices this too
    _wait_for_end(run)
    dispatch()


def _take_off_queue(run: Run, status: RunStatus) -> None:
    """Take a run off the queue; one that was to be continued is restored as it was."""
    if status.previous and status.previous_config:
        validated(status.previous_config).write(run.folder / "config.json")
        write_status(run, status.previous)
    else:
        write_status(run, status, state=STOPPED, message=msg("Taken off the queue."))


def _wait_for_end(run: Run) -> None:
    start = time.monotonic()
    while (status := run.status).state == RUNNING and processes.alive(status):
        waited = time.monotonic() - start
        if waited > PATIENCE_SECONDS:
            return
        if waited > STOP_SECONDS and status.worker and _nothing_to_keep(run, status):
            processes.kill(status)
            write_status(run, run.status, state=STOPPED, message=pipeline.STOPPED_EARLY, ended=time.time())
            return
        time.sleep(0.05)


def _nothing_to_keep(run: Run, status: RunStatus) -> bool:
    """Tell whether a run may be ended at once: before its first epoch nothing is lost."""
    return status.stage in _BEFORE_TRAINING or (status.stage == "training" and not run.epochs)


def _start(run: Run) -> None:
    with (run.folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cxrcore.jobs.worker", str(run.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,  # Ctrl-C of the server does not reach its runs
        )
    now = time.time()
    changes = {"state": RUNNING, "stage": "starting", "stage_started": now, "started": now, "worker": True}
    write_status(run, run.status, **changes, **dict(process_id(process.pid)))


def environment() -> dict[str, str]:
    """Return the worker's environment: the same workspace and the same package, wherever the server was started."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"CXR_HOME": str(settings.home()), "PYTHONPATH": os.pathsep.join(paths)}


def _mark_if_dead(run: Run, status: RunStatus) -> None:
    if processes.alive(status):
        return
    status = run.status  # it may have ended normally in the meantime
    if status.state == RUNNING:
        message = msg(
            "The worker process ended unexpectedly during the stage '{stage}': it was killed, or the machine ran out "
            "of memory. The run can be continued from its last checkpoint.",
            stage=Message(id=pipeline.STAGES.get(status.stage, status.stage)),
        )
        write_status(run, status, state=FAILED, message=message, ended=time.time())


def lock() -> FileLock:
    """Return the lock under which states change."""
    settings.require_writable()
    settings.home().mkdir(parents=True, exist_ok=True)
    return FileLock(settings.home() / "jobs.lock", timeout=20)
