"""One run on the Train page: its figures and curves while it is trained and afterwards, and the tabs of the form."""

import json
import shutil

import pytest

from cxrcore import runs
from cxrcore.files import append_line
from cxrcore.jobs import processes
from cxrcore.messages import msg
from cxrcore.runs import EVENTS, EpochMetrics, Run, RunStatus
from cxrcore.ui.train import run_view


def _charts(test):
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def _lines(chart):
    return {trace.get("name"): trace["x"] for trace in chart["data"]}


def _epoch(number, val_loss):
    values = {"loss": 0.5, "accuracy": 0.75, "val_accuracy": 0.25, "learning_rate": 1e-3, "seconds": 1}
    return EpochMetrics(epoch=number, val_loss=val_loss, **values)


@pytest.fixture
def live(made, monkeypatch):
    """A run of the dataset of `made[2]` that began 100 s ago: 3 of 100 epochs, the second is the best."""
    older = made[2]
    run = Run(older.folder.parent / "29991231-000000-000-cxrtiny-aaaa")
    run.folder.mkdir()
    shutil.copy(older.folder / "config.json", run.folder)
    for number, loss in ((1, 0.9), (2, 0.4), (3, 0.6)):
        append_line(run.folder / EVENTS, _epoch(number, loss).model_dump())
    monkeypatch.setattr(run_view.time, "time", lambda: 1100.0)
    monkeypatch.setattr(run_view.estimate, "remaining", lambda run, status: 45.0)
    monkeypatch.setattr(processes, "alive", lambda process, work=None: True)  # it has none that could be ended
    values = {"state": runs.RUNNING, "stage": "training", "started": 1000.0, "done": 3, "total": 100}
    RunStatus(**values).write(run.folder / "status.json")
    return run


def test_live_run_has_six_figures_and_marks_its_best_epoch_beside_the_previous_run(open_page, live, made):
    test = open_page("train", run=live.name)
    assert {metric.label: metric.value for metric in test.metric} == {
        "Epoch": "3 of 100",
        "Accuracy, training": "75.0%",
        "Accuracy, validation": "25.0%",
        "Loss, training": "0.500",
        "Time taken": "2 min",
        "Time left": "≤ 45 s",
    }
    accuracy, loss, rate = _charts(test)
    assert _lines(accuracy)["previous run"] == [1, 2] and _lines(accuracy)["training"] == [1, 2, 3]
    assert [trace["text"] for trace in loss["data"] if "text" in trace] == [["best: 2"]]
    assert rate["layout"]["title"]["text"] == "Learning rate"


def test_live_run_tells_why_the_cluster_has_not_begun_it_yet(open_page, live):
    assert not open_page("train", run=live.name).warning
    message = msg("No worker of the cluster has begun the run.")
    live.status.model_copy(update={"message": message}).write(live.folder / "status.json")
    assert [shown.value for shown in open_page("train", run=live.name).warning] == [str(message)]


def test_previous_run_is_an_older_one_of_the_same_dataset_with_the_same_kind_of_curves(live, made):
    assert run_view.previous(live).name == made[2].name
    assert run_view.previous(made[2]) is None  # it is the oldest of its dataset
    made[2].config.model_copy(update={"head": "logistic"}).write(made[2].folder / "config.json")
    assert run_view.previous(live) is None  # iterations are no epochs


def test_sweep_is_on_a_tab_of_its_own_and_keeps_the_settings_of_the_form(open_page, phantom):
    test = open_page("train")
    labels = {button.label for button in test.button}
    assert "Start training" in labels and "Start the sweep" not in labels
    next(box for box in test.selectbox if box.label == "Head").set_value("probe").run()
    next(box for box in test.number_input if box.label == "Epochs").set_value(7).run()
    assert any(caption.value.startswith("At most about 1") for caption in test.caption)
    test.session_state["put form"] = "Sweep"
    test.run()
    labels = {button.label for button in test.button}
    assert "Start the sweep" in labels and "Start training" not in labels and not test.exception
    assert test.query_params["form"] == "Sweep"
    assert next(box for box in test.number_input if box.label == "Epochs").value == 7
