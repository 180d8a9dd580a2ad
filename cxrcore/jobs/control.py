"""Control of runs: pause and resume, another learning rate, more epochs, the order of the queue."""

import time

from cxrcore import runs, settings
from cxrcore.config.run_config import RunConfig, merge, nested, validated
from cxrcore.errors import UserError
from cxrcore.jobs import queue, run_process, tasks
from cxrcore.runs import FAILED, LIVE, QUEUED, RUNNING, Run, RunStatus, state_label
from cxrcore.training.run_recorder import CHECKPOINT_FILE, PAUSE_FILE, RATE_FILE, STOP_FILE, RateRequest


def pause(run: Run) -> None:
    """Make a run wait before its next batch or epoch; it keeps its memory and its place.

    Raises:
        UserError: the run is not running.
    """
    _require(run, {RUNNING})
    (run.folder / PAUSE_FILE).touch()


def resume(run: Run) -> None:
    """Resume a paused run."""
    settings.require_writable()
    (run.folder / PAUSE_FILE).unlink(missing_ok=True)


def paused(run: Run) -> bool:
    """Tell whether a run was asked to pause; its status is `paused` as soon as it does."""
    return (run.folder / PAUSE_FILE).exists()


def set_learning_rate(run: Run, rate: float) -> None:
    """Set the learning rate of a run from its next epoch on; the schedule continues from it.

    Raises:
        UserError: the run is not running, or the rate is out of range.
    """
    _require(run, {RUNNING})
    if not 0 < rate <= 10:
        raise UserError("learning_rate: expected more than 0, at most 10. Received: {rate}", rate=rate)
    RateRequest(value=rate, time=time.time()).write(run.folder / RATE_FILE)


def prepare_to_continue(run: Run, epochs: int = 0) -> RunConfig:
    """Return the config with which a run that has ended is continued from its checkpoint, for `epochs` more than were
    planned: of the fine-tuning if it has one, else of the head. A logistic head has no epochs: it is solved again, and
    the missing folds or repeats follow.

    Raises:
        UserError: the run has not ended, has no checkpoint, or too many epochs are asked for; or its logistic head is
            solved for every fold or repeat.
    """
    _require(run, None)
    _require_no_task(run)
    logistic = run.config.head == "logistic"
    # One that failed after it was tested, as while its model was saved, is solved again.
    if logistic and run.metrics and run.status.state != FAILED and not _lacks_splits(run):
        raise UserError("Run {name} has reached the optimum: more iterations would not change it.", name=run.name)
    if run.metrics and not logistic and not (run.folder / CHECKPOINT_FILE.format(phase="head")).is_file():
        raise UserError("Run {name} has no checkpoint to continue from. Train it again.", name=run.name)
    config = run.requested
    name = "tune.epochs" if config.tune else "epochs"
    planned = config.tune.epochs if config.tune else config.epochs
    more = 0 if logistic else epochs  # other settings would be another run, whose other folds are trained again
    continued = validated(merge(config.plain(), nested(name, planned + more)))
    for file in (STOP_FILE, PAUSE_FILE):
        (run.folder / file).unlink(missing_ok=True)
    continued.write(run.folder / "config.json")
    return continued


def continue_run(run: Run, epochs: int = 0) -> None:
    """Queue a run that has ended, to be continued from its checkpoint; see `prepare_to_continue`."""
    with run_process.lock():
        config, status = run.requested, run.status  # restored if it is taken off the queue
        prepare_to_continue(run, epochs)
        queued = RunStatus(
            state=QUEUED,
            created=status.created,
            rank=time.time(),
            previous=status,
            previous_config=config.plain(),
        )
        run_process.write_status(run, queued)
    queue.dispatch()


def move_up(run: Run) -> None:
    """Let a waiting run start before the one in front of it."""
    with run_process.lock():
        waiting = queue.waiting()
        place = [other.name for other in waiting].index(run.name) if run in waiting else 0
        if place:
            before = waiting[place - 1]
            mine, theirs = run.status, before.status
            run_process.write_status(run, mine, rank=queue.rank(theirs))
            run_process.write_status(before, theirs, rank=queue.rank(mine))


def delete(run: Run) -> None:
    """Move a run to the trash (see `runs.discard`).

    Raises:
        UserError: the run waits, runs, or a measurement on it is running.
    """
    with run_process.lock():
        if run.status.state in LIVE:
            raise UserError("Run {name} has not ended. Stop it first.", name=run.name)
        _require_no_task(run)
        runs.discard(run)


def _lacks_splits(run: Run) -> bool:
    """Tell whether folds or repeats are missing, as of a run that was stopped between them."""
    done = len(run.resampling.done) if run.resampling else 1
    return done < run.config.resampling.count


def _require_no_task(run: Run) -> None:
    if any((found := tasks.status(run, task)) and found.state == RUNNING for task in tasks.TASKS):
        raise UserError("A measurement on run {name} is running. Wait until it has ended, or stop it.", name=run.name)


def _require(run: Run, states: set[str] | None) -> None:
    """Raise `UserError` unless the run's state is among `states`, or it has ended for None."""
    settings.require_writable()
    state = run.status.state
    if state not in states if states else state in LIVE:
        raise UserError(
            "Run {name} is {state}; this action is not possible now.", name=run.name, state=state_label(state)
        )
