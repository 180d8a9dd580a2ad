"""The queue consists of the run folders themselves: a run in the state `queued` waits, oldest first.

Every change of state happens under one file lock, so two browser tabs, a worker that ends and a second server agree.
Nothing of it is kept in a server's memory.
"""

import math
import time
from itertools import repeat

from cxrcore import settings
from cxrcore.config.run_config import RunConfig, validated
from cxrcore.errors import UserError
from cxrcore.features import gpus, weights
from cxrcore.jobs import run_process
from cxrcore.messages import Message, msg
from cxrcore.runs import FAILED, LIVE, QUEUED, RUNNING, STOPPED, Run, RunStatus, create, known, state_label
from cxrcore.settings import Executor
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE

STOP_SECONDS = 1.5
# A run that tests its best epoch on a large dataset, or that another program runs, is not waited for longer.
PATIENCE_SECONDS = 20
_AGAIN_SECONDS = 30  # until a cluster that did not answer is asked again
_failed_at = -math.inf
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

    A run that no worker of the cluster has begun waits again. Nothing happens where the dashboard is read-only.
    """
    global _failed_at
    if settings.read_only() or not _is_due():
        return
    with run_process.lock():
        statuses = _statuses()
        running = [status for run, status in statuses if status.state == RUNNING and not _mark_if_dead(run, status)]
        used = {status.gpu for status in running}
        free = [gpu for gpu in _gpus() if gpu not in used]
        for run, gpu in zip(waiting(statuses)[: max(0, _places() - len(running))], free or repeat(""), strict=False):
            try:
                run_process.submit(run, gpu)
            except IsADirectoryError as error:
                message = msg("{path} is missing or damaged.", path=error.filename)
                run_process.write_status(run, run.status, state=FAILED, message=message, ended=time.time())
            except UserError as error:  # of the cluster: the run waits on
                _failed_at = time.monotonic()
                run_process.write_status(run, run.status, message=error.message)
                return


def _places() -> int:
    """Return how many runs are trained at the same time; one for each GPU where this machine has some."""
    return min(settings.max_jobs(), len(_gpus()) or settings.max_jobs())


def _gpus() -> list[str]:
    """Return the GPUs for the runs of this machine; the machines of a cluster have their own."""
    return gpus.assignments() if settings.executor() is Executor.LOCAL else []


def _is_due() -> bool:
    """Tell whether a process has ended or a run can be started, by what is known of the runs without the lock."""
    live = [(found.run, found.status) for found in known() if found.status and found.status.state in LIVE]
    running = [(run, status) for run, status in live if status.state == RUNNING]
    waits = len(running) < len(live)
    can_start = waits and len(running) < _places() and time.monotonic() - _failed_at > _AGAIN_SECONDS
    return can_start or not all(run_process.is_alive(*each) for each in running)


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


def _statuses() -> list[tuple[Run, RunStatus]]:
    """Return the runs that can be opened with their statuses as they are now."""
    return [(found.run, found.status) for found in known(now=True) if found.problem is None and found.status]


def stop(run: Run) -> None:
    """Stop a run within 2 seconds and return when it has ended.

    A queued run is taken off the queue. A run that has finished an epoch keeps its best one, evaluates it
    and saves its model, for which large datasets may take longer than these 2 seconds.

    Raises:
        UserError: the run neither runs nor waits.
    """
    with run_process.lock():
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
        run_process.write_status(run, status.previous)
    else:
        run_process.write_status(run, status, state=STOPPED, message=msg("Taken off the queue."))


def _wait_for_end(run: Run) -> None:
    start = time.monotonic()
    while (status := run.status).state == RUNNING and run_process.is_alive(run, status):
        waited = time.monotonic() - start
        if waited > PATIENCE_SECONDS:
            return
        if waited > STOP_SECONDS and status.worker and _nothing_to_keep(run, status) and run_process.kill(run, status):
            run_process.write_status(run, run.status, state=STOPPED, message=pipeline.STOPPED_EARLY, ended=time.time())
            return
        time.sleep(0.05)


def _nothing_to_keep(run: Run, status: RunStatus) -> bool:
    """Tell whether a run may be ended at once: before its first epoch nothing is lost."""
    return status.stage in _BEFORE_TRAINING or (status.stage == "training" and not run.epochs)


def mark_dead() -> None:
    """Mark runs whose process has ended unexpectedly as failed; no run is started."""
    with run_process.lock():
        for run, status in _statuses():
            _mark_if_dead(run, status)


def is_dead(run: Run, status: RunStatus) -> bool:
    """Tell whether a run is marked as running although its process has ended."""
    if status.state != RUNNING or run_process.is_alive(run, status):
        return False
    return run.status.state == RUNNING  # else it has ended normally in the meantime


def _mark_if_dead(run: Run, status: RunStatus) -> bool:
    """Return whether the run was marked as failed, has ended, or waits again as no worker has begun it."""
    if status.state != RUNNING or run_process.is_alive(run, status):
        return False
    if is_dead(run, status):
        status = run.status
        if run_process.is_to_begin(status) and settings.executor() is Executor.DASK:
            message = msg(
                "No worker of the cluster has begun the run within {minutes} minutes: all are busy, or cannot use this "
                "workspace, which their logs tell. It waits again.",
                minutes=run_process.BEGIN_SECONDS // 60,
            )
            run_process.write_status(run, status, state=QUEUED, worker=False, message=message)
            return True
        message = msg(
            "The worker process ended unexpectedly during the stage '{stage}': it was killed, or the machine ran out "
            "of memory. The run can be continued from its last checkpoint.",
            stage=Message(id=pipeline.STAGES.get(status.stage, status.stage)),
        )
        run_process.write_status(run, status, state=FAILED, message=message, ended=time.time())
    return True
