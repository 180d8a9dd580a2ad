"""Steering runs: pause and go on, another learning rate, more epochs, another place in the queue."""

import time

from cxrcore import runs, settings
from cxrcore.config.run_config import RunConfig
from cxrcore.errors import UserError
from cxrcore.jobs import queue, tasks
from cxrcore.runs import LIVE, QUEUED, RUNNING, Run
from cxrcore.training.run_recorder import PAUSE_FILE, RATE_FILE, STATE_FILE, STOP_FILE


def pause(run: Run) -> None:
    """Make a run wait before its next batch or epoch; it keeps its memory and its place.

    Raises:
        UserError: the run does not run.
    """
    _require(run, {RUNNING})
    (run.folder / PAUSE_FILE).touch()


def resume(run: Run) -> None:
    """Let a paused run go on."""
    settings.require_writable()
    (run.folder / PAUSE_FILE).unlink(missing_ok=True)


def paused(run: Run) -> bool:
    """Tell whether a run was asked to pause; its status says `paused` as soon as it does."""
    return (run.folder / PAUSE_FILE).exists()


def set_rate(run: Run, rate: float) -> None:
    """Ask a run to learn at another rate from its next epoch on; the schedule goes on from there.

    Raises:
        UserError: the run does not run, or the rate is out of range.
    """
    _require(run, {RUNNING})
    if not 0 < rate <= 10:
        raise UserError("learning_rate: expected more than 0, at most 10. Received: {rate}", rate=rate)
    run.write(RATE_FILE, {"value": rate, "time": time.time()})


def prepare_to_go_on(run: Run, epochs: int = 0) -> RunConfig:
    """Return the config with which a run that has ended goes on where it was left, for `epochs` more than it was to
    have: of the tuning if it has one, else of the head.

    Raises:
        UserError: the run has not ended.
    """
    _require(run, None)
    _require_no_task(run)
    if run.metrics and not (run.folder / STATE_FILE.format(phase="head")).is_file():
        raise UserError(
            "Run {name} is of an older version, which kept nothing to go on from. Train it again.", name=run.name
        )
    values = run.config
    where = values["tune"] if values.get("tune") else values
    where["epochs"] += epochs
    made = RunConfig(**values)
    for name in (STOP_FILE, PAUSE_FILE):
        (run.folder / name).unlink(missing_ok=True)
    run.write("config.json", made.model_dump(mode="json"))
    return made


def go_on(run: Run, epochs: int = 0) -> None:
    """Queue a run that has ended, to go on where it was left; see `prepare_to_go_on`."""
    with queue.lock():
        before = {"config": run.config, "status": run.status}  # to which it returns if it is taken off the queue
        prepare_to_go_on(run, epochs)
        kept = {name: value for name, value in run.status.items() if name == "created"}
        run.write("status.json", kept | {"state": QUEUED, "rank": time.time(), "before": before})
    queue.dispatch()


def move_up(run: Run) -> None:
    """Let a waiting run go before the one that waits in front of it."""
    with queue.lock():
        waiting = queue.waiting()
        place = [other.name for other in waiting].index(run.name) if run in waiting else 0
        if place:
            before = waiting[place - 1]
            mine, theirs = run.status, before.status
            run.write("status.json", mine | {"rank": queue.rank(theirs)})
            before.write("status.json", theirs | {"rank": queue.rank(mine)})


def delete(run: Run) -> None:
    """Put a run into the trash (see `runs.discard`).

    Raises:
        UserError: the run waits, runs, or is being measured.
    """
    with queue.lock():
        if run.status["state"] in LIVE:
            raise UserError("Run {name} has not ended. Stop it first.", name=run.name)
        _require_no_task(run)
        runs.discard(run)


def _require_no_task(run: Run) -> None:
    if any((found := tasks.status(run, task)) and found["state"] == RUNNING for task in tasks.TASKS):
        raise UserError("Run {name} is being measured. Wait until that has ended, or stop it.", name=run.name)


def _require(run: Run, states: set[str] | None) -> None:
    """Raise `UserError` unless the run's state is among `states`, or it has ended for None."""
    settings.require_writable()
    state = run.status["state"]
    if state not in states if states else state in LIVE:
        raise UserError("Run {name} cannot do that now: it is {state}.", name=run.name, state=state)
