"""What is recorded of a run while it is trained, and the requests that it takes."""

import json

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import Stopped
from cxrcore.jobs import control
from cxrcore.runs import EpochMetrics
from cxrcore.training.checkpoint import Checkpoint
from cxrcore.training.run_recorder import PAUSE_FILE, RATE_FILE, STOP_FILE, RunRecorder


def _epoch(number, rate, phase="head"):
    return EpochMetrics(
        epoch=number,
        loss=1.0,
        accuracy=0.5,
        val_loss=1.0,
        val_accuracy=0.5,
        learning_rate=rate,
        seconds=0.1,
        phase=phase,
    )


def _recorder(**values):
    recorder = RunRecorder(runs.create(run_config.make(dataset="d", **values)))
    recorder.training(10)
    return recorder


def _events(recorder):
    return [(event.event, event.epoch, event.value) for event in recorder.run.events]


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("plateau", "The schedule may reduce it later"),
        ("cosine", "The cosine decay continues with it"),
        ("constant", "It stays until it is set again"),
    ],
)
def test_learning_rate_set_by_the_user_is_an_event_that_says_what_the_schedule_does(schedule, text, home):
    recorder = _recorder(schedule=schedule)
    assert recorder.requested_learning_rate(1) is None
    control.set_learning_rate(recorder.run, 0.01)
    assert recorder.requested_learning_rate(3) == 0.01
    assert recorder.requested_learning_rate(4) is None, "it is applied once"
    (event,) = recorder.run.events
    assert (event.event, event.epoch, event.value) == ("learning-rate", 3, 0.01) and text in str(event.message)
    assert RunRecorder(recorder.run).requested_learning_rate(4) is None, "nor by a later process"


def test_damaged_request_is_ignored(home):
    recorder = _recorder()
    (recorder.run.folder / RATE_FILE).write_text('{"value": ')
    assert recorder.requested_learning_rate(1) is None


def test_reduction_by_the_plateau_schedule_is_an_event(home):
    recorder = _recorder()
    for number, rate in enumerate([0.01, 0.01, 0.005, 0.005], start=1):
        recorder.on_epoch_end(_epoch(number, rate))
    assert _events(recorder) == [("reduced", 3, 0.005)]


def test_reduction_is_recorded_by_the_process_that_continues(home):
    first = _recorder()
    for number in (1, 2):
        first.on_epoch_end(_epoch(number, 0.01))
    first.on_epoch_end(_epoch(3, 0.01))  # after the checkpoint
    first.save_checkpoint(lambda: Checkpoint("head", 2, 0.01, 2, 1.0, [], [], [], {}), last=True)
    second = RunRecorder(first.run)
    second.load_checkpoint("head")
    second.on_epoch_end(_epoch(3, 0.005))
    assert _events(second) == [("reduced", 3, 0.005)] and [e.epoch for e in second.run.epochs] == [1, 2, 3]


def test_learning_rate_set_lower_is_no_reduction_by_the_schedule(home):
    recorder = _recorder()
    recorder.on_epoch_end(_epoch(1, 0.01))
    control.set_learning_rate(recorder.run, 0.001)
    recorder.requested_learning_rate(2)
    recorder.on_epoch_end(_epoch(2, 0.001))
    assert _events(recorder) == [("learning-rate", 2, 0.001)]


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_other_schedules_record_no_reduction(schedule, home):
    recorder = _recorder(schedule=schedule)
    for number, rate in enumerate([0.01, 0.005], start=1):
        recorder.on_epoch_end(_epoch(number, rate))
    assert _events(recorder) == []


def test_rate_of_the_fine_tuning_is_no_reduction(home):
    recorder = _recorder(tune={})
    recorder.on_epoch_end(_epoch(1, 0.005))
    recorder.on_epoch_end(_epoch(2, 0.0001, "tuning"))
    assert _events(recorder) == []


def test_epochs_are_appended_and_the_status_counts_them(home):
    recorder = _recorder()
    epochs = [_epoch(1, 0.01), _epoch(2, 0.01)]
    for epoch in epochs:
        recorder.on_epoch_end(epoch)
    recorder.end("finished")
    status = recorder.run.status
    assert recorder.run.epochs == epochs and (status.stage, status.done, status.total) == ("training", 2, 10)
    assert status.state == "finished" and status.ended >= status.started > 0
    assert json.loads((recorder.run.folder / "status.json").read_text())["schema_version"] == 2


def test_stop_and_pause(home):
    recorder = _recorder()
    recorder.check()
    for file in (PAUSE_FILE, STOP_FILE):  # a paused run that is to be stopped does not wait
        (recorder.run.folder / file).touch()
    with pytest.raises(Stopped):
        recorder.check()
    assert recorder.run.status.paused is False


def test_status_keeps_the_gpu_that_the_queue_gave_to_the_run():
    run = runs.create(run_config.make(dataset="d"))
    given = run.status.model_copy(update={"worker": True, "gpu": "3"})
    given.write(run.folder / "status.json")
    RunRecorder(run).stage("reading")
    assert run.status.gpu == "3"
    given.model_copy(update={"state": "stopped"}).write(run.folder / "status.json")
    RunRecorder(run).stage("reading")  # continued by another program, which the queue gave none
    assert run.status.gpu == ""
