"""Pausing, going on, another rate, another place in the queue. Real worker processes on a small dataset."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from cxrcore import runs
from cxrcore.cli import app
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.jobs import control, queue
from cxrcore.runs import EVENTS
from cxrcore.training.run_recorder import RATE_FILE, RunRecorder
from tests.jobs.test_queue import LONG, _has_epochs, _state, _wait, no_leftovers  # noqa: F401


def _is_paused(run):
    return run.status.get("paused", False)


def test_a_paused_run_learns_nothing_and_goes_on_where_it_was(phantom):
    run = queue.submit(run_config.make(**LONG))
    _wait(run, _has_epochs)
    control.pause(run)
    _wait(run, _is_paused)
    before = len(run.epochs)
    time.sleep(0.7)
    assert len(run.epochs) == before and run.status["state"] == "running"
    control.resume(run)
    _wait(run, lambda run: len(run.epochs) > before + 3)
    assert not _is_paused(run)
    assert [epoch["epoch"] for epoch in run.epochs] == list(range(1, len(run.epochs) + 1))


def test_a_paused_run_can_be_stopped_and_keeps_its_best_epoch(phantom):
    run = queue.submit(run_config.make(**LONG))
    _wait(run, _has_epochs)
    control.pause(run)
    _wait(run, _is_paused)
    queue.stop(run)
    assert run.status["state"] == "stopped" and run.metrics["n_test"] == 12


def test_a_run_pauses_while_it_computes_activations(phantom):
    run = queue.submit(run_config.make(**(LONG | {"size": 512, "backbone": "mobilenetv2", "weights": "random"})))
    _wait(run, lambda run: run.status.get("stage") == "features" and run.status["done"] > 0)
    control.pause(run)
    _wait(run, _is_paused)
    before = run.status["done"]
    time.sleep(0.7)
    assert run.status["done"] == before and run.status["stage"] == "features"
    queue.stop(run)
    assert run.status["state"] == "stopped" and not run.epochs
    control.go_on(run)
    _wait(run, lambda run: run.status.get("stage") == "features" and run.status["done"] > before)
    queue.stop(run)


def test_after_a_crash_of_worker_and_server_a_run_is_marked_and_goes_on_without_double_epochs(phantom, home):
    """The server is another process here; both are killed as by a power cut."""
    script = (
        "import sys, time\nfrom cxrcore.jobs import queue\nfrom cxrcore.training import config\n"
        f"print(queue.submit(config.make(**{LONG!r})).name, flush=True)\ntime.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    run = runs.load(server.stdout.readline().strip())
    state = run.folder / "state-head.npz"
    _wait(run, lambda run: state.is_file() and len(run.epochs) > 30)
    for number in (run.status["pid"], server.pid):
        os.kill(number, signal.SIGKILL)
    server.wait()
    _wait(run, lambda run: queue.dispatch() or run.status["state"] == "failed")
    assert "can be continued" in run.status["message"]
    before = {epoch["epoch"]: epoch["loss"] for epoch in run.epochs}
    control.go_on(run)
    _wait(run, lambda run: len(run.epochs) > len(before) + 20)
    queue.stop(run)
    assert run.status["state"] == "stopped" and run.metrics
    numbers = [epoch["epoch"] for epoch in run.epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    again = {epoch["epoch"]: epoch["loss"] for epoch in run.epochs}
    np.testing.assert_allclose([again[k] for k in before], list(before.values()), rtol=1e-4)


def test_a_finished_run_goes_on_for_more_epochs_and_forgets_what_was_measured_on_its_old_model(phantom):
    run = queue.submit(run_config.make(**(LONG | {"epochs": 5})))
    _wait(run, _state("finished"))
    run.write("shortcut.json", {"old": True})
    control.go_on(run, 7)
    assert run.status["state"] == "running"
    _wait(run, _state("finished"))
    assert [epoch["epoch"] for epoch in run.epochs] == list(range(1, 13)) and run.config["epochs"] == 12
    assert run.shortcut is None


def test_another_rate_holds_from_the_next_epoch_and_is_an_event(phantom):
    run = queue.submit(run_config.make(**(LONG | {"schedule": "constant"})))
    _wait(run, _has_epochs)
    control.set_rate(run, 0.0007)
    _wait(run, lambda run: run.events)
    _wait(run, lambda run: run.epochs[-1]["learning_rate"] == pytest.approx(0.0007))
    event = run.events[0]
    rates = {epoch["epoch"]: epoch["learning_rate"] for epoch in run.epochs}
    assert event["event"] == "learning-rate" and event["value"] == 0.0007
    assert rates[event["epoch"] - 1] == pytest.approx(5e-3) and rates[event["epoch"]] == pytest.approx(0.0007)
    with pytest.raises(UserError, match="learning_rate: expected more than 0"):
        control.set_rate(run, -1)
    queue.stop(run)
    with pytest.raises(UserError, match="it is stopped"):
        control.set_rate(run, 0.1)


def test_a_rate_that_was_asked_for_is_heard_once_but_again_if_its_epochs_are_forgotten(trained):
    trained.write(RATE_FILE, {"value": 0.01, "time": 5.0})
    assert [RunRecorder(trained).rate(21), RunRecorder(trained).rate(22)] == [0.01, None]  # two processes
    events = trained.folder / EVENTS
    events.write_text("".join(line for line in events.read_text().splitlines(True) if "learning-rate" not in line))
    assert RunRecorder(trained).rate(21) == 0.01
    trained.write(RATE_FILE, {"value": 0.01, "time": 6.0})
    assert RunRecorder(trained).rate(23) == 0.01  # asked for once more


def test_a_run_that_goes_on_still_hears_the_rate_that_was_asked_for(trained):
    trained.write(RATE_FILE, {"value": 0.01, "time": 5.0})
    control.prepare_to_go_on(trained, 5)
    assert RunRecorder(trained).rate(21) == 0.01


def test_the_trash_lists_what_can_be_taken_back(trained):
    control.delete(trained)
    assert [run.name for run in runs.discarded()] == [trained.name]
    assert trained.name in CliRunner().invoke(app, ["runs", "trash"]).stdout
    thrown = runs.discarded()[0].folder
    os.utime(thrown, (time.time() - 8 * 24 * 3600,) * 2)
    assert runs.discarded() == []


def test_a_waiting_run_moves_up_and_one_that_goes_on_waits_behind(phantom):
    first, *others = [queue.submit(run_config.make(**LONG)) for _ in range(4)]
    assert [queue.position(run) for run in others] == [1, 2, 3]
    control.move_up(others[2])
    assert [queue.position(run) for run in others] == [1, 3, 2]
    control.move_up(others[2])
    control.move_up(others[2])  # it is the next already
    assert [queue.position(run) for run in others] == [2, 3, 1]
    queue.stop(others[1])
    control.go_on(others[1])
    assert [run.name for run in queue.waiting()] == [others[k].name for k in (2, 0, 1)]
    with pytest.raises(UserError, match="it is running"):
        control.go_on(first)
    for unended in (first, others[0]):
        with pytest.raises(UserError, match="has not ended"):
            control.delete(unended)
    _wait(first, _has_epochs)
    queue.stop(first)
    _wait(others[2], _state("running"))


def test_a_run_in_the_trash_is_off_the_shelf_until_it_is_taken_back(trained):
    control.delete(trained)
    assert runs.listing() == []
    with pytest.raises(UserError, match="There is no run"):
        runs.load(trained.name)
    assert runs.restore(trained.name).metrics["n_test"] == 12
    assert [run.name for run in runs.listing()] == [trained.name]
    with pytest.raises(UserError, match="not in the trash"):
        runs.restore(trained.name)
    with pytest.raises(UserError, match="not in the trash"):
        runs.restore("../datasets")


def test_what_lies_in_the_trash_for_a_week_is_gone(trained, home):
    old = home / "runs" / ".trash" / "old"
    old.mkdir(parents=True)
    os.utime(old, (time.time() - 8 * 24 * 3600,) * 2)
    control.delete(trained)
    assert [path.name for path in old.parent.iterdir()] == [trained.name]


def test_a_run_taken_off_the_queue_before_it_went_on_is_what_it_was(trained):
    blocker = queue.submit(run_config.make(**LONG))
    before = trained.config, trained.status
    control.go_on(trained, 30)
    assert trained.status["state"] == "queued" and trained.config["epochs"] == 50
    queue.stop(trained)
    assert (trained.config, trained.status) == before
    queue.stop(blocker)


def test_a_run_being_measured_is_neither_deleted_nor_continued(trained):
    trained.write("tasks/shortcut.json", {"state": "running", "stage": "", "done": 0, "total": 0} | runs.process())
    for act in (control.delete, control.go_on):
        with pytest.raises(UserError, match="is being measured"):
            act(trained)
    (trained.folder / "tasks" / "shortcut.json").unlink()
    control.delete(trained)
    assert runs.listing() == []


def test_a_run_without_a_state_is_not_trained_over(trained):
    (trained.folder / "state-head.npz").unlink()
    with pytest.raises(UserError, match="of an older version"):
        control.go_on(trained)
    assert len(trained.epochs) == 20
