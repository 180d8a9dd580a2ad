"""The Compare page: runs side by side, renamed, deleted and taken back; sweeps."""

import shutil

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.jobs import control, queue
from cxrcore.sweeps import plan, promote, search, sweep
from tests.pages.test_pages import _button, _texts


@pytest.fixture
def two(trained):
    """A second run of the same recipe with another rate; it has the first one's results."""
    other = runs.create(trained.config | {"learning_rate": 1e-4})
    for path in trained.folder.iterdir():
        if path.is_file() and path.name not in ("config.json",):
            shutil.copy(path, other.folder / path.name)
    return trained, other


def test_the_table_shows_intervals_and_settings_that_differ(open_page, two):
    test = open_page("compare")
    table = test.dataframe[0].value
    assert list(table["learning_rate"]) == ["0.0001", "0.005"] and "dropout" not in table
    assert all("%" in value and "to" in value for value in table["test accuracy"])


def test_words_filter_the_runs(open_page, two):
    two[0].describe(tags=["favourite"])
    test = open_page("compare")
    test.text_input(key="run filter").set_value("favourite").run()
    assert len(test.dataframe[0].value) == 1
    test.text_input(key="run filter").set_value("nothing like it").run()
    assert "No run has these words" in _texts(test)


def test_without_runs_it_names_the_next_step(open_page):
    test = open_page("compare")
    assert "no finished run" in _texts(test) and _button(test, "Train a model")


def test_a_deleted_run_is_taken_back(open_page, trained):
    test = open_page("compare")
    test.session_state["deleted runs"] = [trained.name]
    control.delete(trained)
    test.run()
    assert "in the trash" in _texts(test)
    _button(test, "Undo").click().run()
    assert [run.name for run in runs.listing()] == [trained.name] and "in the trash" not in _texts(test)


def test_the_trash_gives_back_what_another_session_deleted(open_page, two):
    control.delete(two[0])
    test = open_page("compare")
    assert [expander.label for expander in test.expander] == ["Trash"]
    _button(test, "Take back").click().run()
    assert {run.name for run in runs.listing()} == {run.name for run in two} and not test.expander


@pytest.fixture
def searched(phantom):
    values = {
        "base": run_config.make(dataset="phantom", size=64, epochs=4).model_dump(mode="json"),
        "knobs": {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}, "head": {"choices": ("gap", "probe")}},
        "trials": 3,
    }
    made = sweep.create("mine", plan.make(values))
    search.search(made, lambda *step: None)
    return made


def test_a_sweep_shows_validation_alone(open_page, searched):
    test = open_page("compare", show="Sweeps")
    table = test.dataframe[0].value
    assert len(table) == 3 and list(table["validation loss"]) == sorted(table["validation loss"])
    assert not any("test" in column for column in table) and "luckiest wins" in _texts(test)
    promote.train(searched, int(table["trial"][0]))
    assert open_page("compare", show="Sweeps", sweep="mine").dataframe[0].value["opened as"][0]


def test_without_a_sweep_it_says_where_one_starts(open_page, trained):
    assert "No sweep yet" in _texts(open_page("compare", show="Sweeps"))


def test_the_train_page_starts_a_sweep(open_page, phantom):
    test = open_page("train")
    test.number_input(key="trials").set_value(1)
    test.text_input(key="sweep name").set_value("started")
    _button(test, "Start the sweep").click().run()
    assert not test.exception
    made = sweep.load("started")
    assert made.plan.trials == 1 and set(made.plan.knobs) == {"learning_rate", "dropout", "head"}
    from cxrcore.jobs import processes, tasks

    if found := tasks.status(made, "sweep"):
        processes.kill(found)


def test_the_form_makes_rounds_views_and_fine_tuning(open_page, phantom):
    test = open_page("train")
    test.segmented_control(key="design studio cxrtiny").set_value("kfold").run()
    test.toggle(key="augment studio cxrtiny").set_value(True).run()
    test.toggle(key="tune studio cxrtiny").set_value(True).run()
    _button(test, "Start training").click().run()
    assert not test.exception
    (run,) = runs.listing()
    made = run.config
    assert made["design"] == {"kind": "kfold", "rounds": 5} and made["augment"]["views"] == 3
    assert made["tune"]["after"] == "block4c_out" and made["tune"]["epochs"] == 10
    queue.stop(run)


def test_a_run_is_paused_resumed_and_stopped_from_its_page(open_page, phantom):
    run = queue.submit(run_config.make(dataset="phantom", size=64, epochs=100_000, early_stopping=0))
    test = open_page("train", run=run.name)
    _button(test, "Pause").click().run()
    assert control.paused(run)
    _button(test, "Resume").click().run()
    assert not control.paused(run)
    _button(test, "Stop").click().run()
    assert run.status["state"] == "stopped"


def test_a_note_is_kept_and_the_command_repeats_the_run(open_page, trained):
    test = open_page("train", run=trained.name)
    test.text_area(key=f"note {trained.name}").set_value("Looks well.").run()
    assert trained.card["note"] == "Looks well."
    commands = [code.value for code in test.code]
    assert "cxr train --data phantom --size 64 --epochs 20" in commands


def test_a_layer_is_suggested_and_used(open_page, phantom):
    test = open_page("train")
    _button(test, "Suggest a layer").click().run(timeout=120)
    assert not test.exception
    suggested = next(frame.value for frame in test.dataframe if "layer" in frame.value)
    _button(test, "Use the suggested layer").click().run()
    used = next(box.value for box in test.selectbox if "tap" in box.label)
    assert [used] == list(suggested["layer"][suggested[""] == "suggested"])
