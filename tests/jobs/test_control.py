"""Pause, continue, learning rate and the order of the queue, with real worker processes on a small dataset."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from cxrcore import runs
from cxrcore.cli import app
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.jobs import control, queue, tasks
from cxrcore.runs import EVENTS
from cxrcore.training.run_recorder import RATE_FILE, RateRequest, RunRecorder
from tests.jobs.test_queue import LONG, _has_epochs, _state, _wait, no_leftovers  # noqa: F401


def _is_paused(run):
    return run.status.paused


def test_paused_run_trains_no_epoch_until_it_is_resumed(phantom):
    run = queue.submit(run_config.make(**LONG))
    _wait(run, _has_epochs)
    control.pause(run)
    _wait(run, _is_paused)
    before = len(run.epochs)
    time.sleep(0.7)
    assert len(run.epochs) == before and run.status.state == "running"
    control.resume(run)
    _wait(run, lambda run: len(run.epochs) > before + 3)
    assert not _is_paused(run)
    epochs = [epoch.epoch for epoch in run.epochs]
    assert epochs == list(range(1, len(epochs) + 1))


def test_paused_run_can_be_stopped_and_keeps_its_best_epoch(phantom):
    run = queue.submit(run_config.make(**LONG))
    _wait(run, _has_epochs)
    control.pause(run)
    _wait(run, _is_paused)
    queue.stop(run)
    assert run.status.state == "stopped" and run.metrics.n_test == 12


@pytest.mark.nightly
def test_run_pauses_while_it_computes_activations(phantom):
    run = queue.submit(run_config.make(**(LONG | {"size": 512, "backbone": "mobilenetv2", "weights": "random"})))
    _wait(run, lambda run: run.status.stage == "features" and run.status.done > 0)
    control.pause(run)
    _wait(run, _is_paused)
    before = run.status.done
    time.sleep(0.7)
    assert run.status.done == before and run.status.stage == "features"
    queue.stop(run)
    assert run.status.state == "stopped" and not run.epochs
    control.continue_run(run)
    _wait(run, lambda run: run.status.stage == "features" and run.status.done > before)
    queue.stop(run)


def test_run_is_continued_without_duplicate_epochs_after_worker_and_server_were_killed(phantom, home):
    """The server is another process here; both are killed as by a power cut."""
    script = (
        "import sys, time\nfrom cxrcore.jobs import queue\nfrom cxrcore.config import run_config\n"
        f"print(queue.submit(run_config.make(**{LONG!r})).name, flush=True)\ntime.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    run = runs.load(server.stdout.readline().strip())
    state = run.folder / "state-head.npz"
    _wait(run, lambda run: state.is_file() and len(run.epochs) > 30)
    for number in (run.status.pid, server.pid):
        os.kill(number, signal.SIGKILL)
    server.wait()
    _wait(run, lambda run: queue.dispatch() or run.status.state == "failed")
    assert "can be continued" in str(run.status.message)
    before = {epoch.epoch: epoch.loss for epoch in run.epochs}
    control.continue_run(run)
    _wait(run, lambda run: len(run.epochs) > len(before) + 20)
    queue.stop(run)
    assert run.status.state == "stopped" and run.metrics
    numbers = [epoch.epoch for epoch in run.epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    again = {epoch.epoch: epoch.loss for epoch in run.epochs}
    np.testing.assert_allclose([again[k] for k in before], list(before.values()), rtol=1e-4)


def test_continued_run_has_more_epochs_and_no_measurements_of_its_old_model(phantom):
    run = queue.submit(run_config.make(**(LONG | {"epochs": 5})))
    _wait(run, _state("finished"))
    (run.folder / "shortcut.json").write_text("{}")
    control.continue_run(run, 7)
    assert run.status.state == "running"
    _wait(run, _state("finished"))
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, 13)) and run.config.epochs == 12
    assert not (run.folder / "shortcut.json").exists()


def test_learning_rate_is_set_from_the_next_epoch_and_recorded(phantom):
    run = queue.submit(run_config.make(**(LONG | {"schedule": "constant"})))
    _wait(run, _has_epochs)
    control.set_learning_rate(run, 0.0007)
    _wait(run, lambda run: run.events)
    _wait(run, lambda run: run.epochs[-1].learning_rate == pytest.approx(0.0007))
    event = run.events[0]
    rates = {epoch.epoch: epoch.learning_rate for epoch in run.epochs}
    assert event.event == "learning-rate" and event.value == 0.0007
    assert rates[event.epoch - 1] == pytest.approx(5e-3) and rates[event.epoch] == pytest.approx(0.0007)
    with pytest.raises(UserError, match="learning_rate: expected more than 0"):
        control.set_learning_rate(run, -1)
    queue.stop(run)
    with pytest.raises(UserError, match="is stopped; this action is not possible"):
        control.set_learning_rate(run, 0.1)


def test_requested_learning_rate_is_applied_once_and_again_if_its_epochs_were_lost(trained):
    RateRequest(value=0.01, time=5.0).write(trained.folder / RATE_FILE)
    assert [RunRecorder(trained).requested_learning_rate(21), RunRecorder(trained).requested_learning_rate(22)] == [
        0.01,
        None,
    ]  # two processes
    events = trained.folder / EVENTS
    events.write_text("".join(line for line in events.read_text().splitlines(True) if "learning-rate" not in line))
    assert RunRecorder(trained).requested_learning_rate(21) == 0.01
    RateRequest(value=0.01, time=6.0).write(trained.folder / RATE_FILE)
    assert RunRecorder(trained).requested_learning_rate(23) == 0.01  # asked for once more


def test_continued_run_applies_the_requested_learning_rate(trained):
    RateRequest(value=0.01, time=5.0).write(trained.folder / RATE_FILE)
    control.prepare_to_continue(trained, 5)
    assert RunRecorder(trained).requested_learning_rate(21) == 0.01


def test_trash_lists_what_can_be_restored(trained):
    control.delete(trained)
    assert [run.name for run in runs.discarded()] == [trained.name]
    assert trained.name in CliRunner().invoke(app, ["runs", "trash"]).stdout
    thrown = runs.discarded()[0].folder
    os.utime(thrown, (time.time() - 8 * 24 * 3600,) * 2)
    assert runs.discarded() == []


def test_waiting_run_moves_up_and_a_continued_run_waits_last(phantom):
    first, *others = [queue.submit(run_config.make(**LONG)) for _ in range(4)]
    assert [queue.position(run) for run in others] == [1, 2, 3]
    control.move_up(others[2])
    assert [queue.position(run) for run in others] == [1, 3, 2]
    control.move_up(others[2])
    control.move_up(others[2])  # it is the next already
    assert [queue.position(run) for run in others] == [2, 3, 1]
    queue.stop(others[1])
    control.continue_run(others[1])
    assert [run.name for run in queue.waiting()] == [others[k].name for k in (2, 0, 1)]
    with pytest.raises(UserError, match="is running; this action is not possible"):
        control.continue_run(first)
    for unended in (first, others[0]):
        with pytest.raises(UserError, match="has not ended"):
            control.delete(unended)
    _wait(first, _has_epochs)
    queue.stop(first)
    _wait(others[2], _state("running"))


def test_run_in_the_trash_is_not_listed_until_it_is_restored(trained):
    control.delete(trained)
    assert runs.listing() == []
    with pytest.raises(UserError, match="There is no run"):
        runs.load(trained.name)
    assert runs.restore(trained.name).metrics.n_test == 12
    assert [run.name for run in runs.listing()] == [trained.name]
    with pytest.raises(UserError, match="not in the trash"):
        runs.restore(trained.name)
    with pytest.raises(UserError, match="not in the trash"):
        runs.restore("../datasets")


def test_trash_is_emptied_after_a_week(trained, home):
    old = home / "runs" / ".trash" / "old"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 8 * 24 * 3600,) * 2)
    control.delete(trained)
    assert [path.name for path in old.parent.iterdir()] == [trained.name]


def test_run_taken_off_the_queue_is_restored_as_it_was(trained):
    blocker = queue.submit(run_config.make(**LONG))
    before = trained.config, trained.status
    control.continue_run(trained, 30)
    assert trained.status.state == "queued" and trained.config.epochs == 50
    queue.stop(trained)
    assert (trained.config, trained.status) == before
    queue.stop(blocker)


def test_run_with_a_running_measurement_is_neither_deleted_nor_continued(trained, monkeypatch):
    monkeypatch.setattr(tasks, "work", lambda place, task: psutil.Process().cmdline())  # this process stands for one
    status = tasks.TaskStatus(state="running", **runs.process_id().model_dump())
    status.write(trained.folder / "tasks" / "shortcut.json")
    for act in (control.delete, control.continue_run):
        with pytest.raises(UserError, match=r"A measurement on run .* is running"):
            act(trained)
    (trained.folder / "tasks" / "shortcut.json").unlink()
    control.delete(trained)
    assert runs.listing() == []


def test_run_without_a_checkpoint_is_not_continued(trained):
    (trained.folder / "state-head.npz").unlink()
    with pytest.raises(UserError, match="no checkpoint to continue from"):
        control.continue_run(trained)
    assert len(trained.epochs) == 20
