"""The Compare page: runs side by side, titles, deletion and the trash; sweeps."""

import shutil

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.jobs import control, processes, queue, tasks
from cxrcore.progress import ignore_stages
from cxrcore.sweeps import plan, promote, search, sweep
from tests.pages.test_pages import _button, _texts


@pytest.fixture
def two(trained):
    """A second run with another learning rate and the results of the first."""
    other = runs.create(trained.config.model_copy(update={"learning_rate": 1e-4}))
    for path in trained.folder.iterdir():
        if path.is_file() and path.name not in ("config.json",):
            shutil.copy(path, other.folder / path.name)
    return trained, other


def test_table_has_intervals_and_differing_settings(open_page, two):
    test = open_page("compare")
    table = test.dataframe[0].value
    assert list(table["learning_rate"]) == ["0.0001", "0.005"] and "dropout" not in table
    assert all("%" in value and "to" in value for value in table["test accuracy"])


def test_filter_by_words(open_page, two):
    two[0].describe(tags=["favourite"])
    test = open_page("compare")
    test.text_input(key="run filter").set_value("favourite").run()
    assert len(test.dataframe[0].value) == 1
    test.text_input(key="run filter").set_value("nothing like it").run()
    assert "No run matches these words" in _texts(test)


def test_no_runs_names_the_next_step(open_page):
    test = open_page("compare")
    assert "no finished run" in _texts(test) and _button(test, "Train a model")


def test_deletion_is_undone(open_page, trained):
    test = open_page("compare")
    test.session_state["deleted runs"] = [trained.name]
    control.delete(trained)
    test.run()
    assert "in the trash" in _texts(test)
    _button(test, "Undo").click().run()
    assert [run.name for run in runs.listing()] == [trained.name] and "in the trash" not in _texts(test)


def test_trash_restores_runs_of_another_session(open_page, two):
    control.delete(two[0])
    test = open_page("compare")
    assert [expander.label for expander in test.expander] == ["Trash"]
    _button(test, "Restore").click().run()
    assert {run.name for run in runs.listing()} == {run.name for run in two} and not test.expander


def test_titles_are_shown_instead_of_names(open_page, two):
    first, second = two
    first.describe(title="with *stars*")
    second.describe(title="second")
    test = open_page("compare")
    labels = list(test.dataframe[0].value["run"])
    assert ["second" in label for label in labels] == [True, False] and "with *stars*" in labels[1]
    assert not any(run.name in label for run in two for label in labels)


@pytest.fixture
def searched(phantom):
    values = {
        "base": run_config.make(dataset="phantom", size=64, epochs=4).plain(),
        "settings": {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}, "head": {"choices": ("gap", "probe")}},
        "trials": 3,
    }
    made = sweep.create("mine", plan.make(values))
    search.search(made, ignore_stages)
    return made


def test_sweep_shows_validation_metrics_alone(open_page, searched):
    test = open_page("compare", show="Sweeps")
    table = test.dataframe[0].value
    assert len(table) == 3 and list(table["validation loss"]) == sorted(table["validation loss"])
    assert not any("test" in column for column in table) and "Only its test shows" in _texts(test)
    promote.train(searched, int(table["trial"][0]))
    assert open_page("compare", show="Sweeps", sweep="mine").dataframe[0].value["run"][0]


def test_no_sweep_names_the_train_page(open_page, trained):
    assert "There is no sweep yet" in _texts(open_page("compare", show="Sweeps"))


def test_train_starts_a_sweep(open_page, phantom):
    test = open_page("train", form="Sweep")
    test.number_input(key="trials").set_value(1)
    test.text_input(key="sweep name").set_value("started")
    _button(test, "Start the sweep").click().run()
    assert not test.exception
    made = sweep.load("started")
    assert made.plan.trials == 1 and set(made.plan.settings) == {"learning_rate", "dropout", "head"}
    if found := tasks.status(made, "sweep"):
        processes.kill(found, tasks.work(made, "sweep"))


def _setting(test, name):
    """Return the widget of a setting on the Train page."""
    kinds = (*test.toggle, *test.selectbox, *test.number_input, *test.slider)
    return next(widget for widget in kinds if widget.key == f"{name} recommended cxrtiny")


def test_train_form_sets_resampling_augmentation_and_fine_tuning(open_page, phantom):
    test = open_page("train")
    _setting(test, "head").set_value("gap").run()
    _setting(test, "resampling.folds").set_value(5)
    _setting(test, "augment").set_value(True)
    _setting(test, "tune").set_value(True).run()
    _button(test, "Start training").click().run()
    assert not test.exception
    (run,) = runs.listing()
    assert run.config.resampling.kind == "kfold" and run.config.resampling.count == 5
    assert run.config.augment and run.config.tune
    queue.stop(run)


def test_run_is_paused_resumed_and_stopped_from_its_page(open_page, phantom):
    run = queue.submit(run_config.make(dataset="phantom", size=64, head="gap", epochs=100_000, early_stopping=0))
    test = open_page("train", run=run.name)
    _button(test, "Pause").click().run()
    assert control.paused(run)
    _button(test, "Resume").click().run()
    assert not control.paused(run)
    _button(test, "Stop").click().run()
    assert run.status.state == "stopped"


def test_note_is_saved_and_the_command_repeats_the_run(open_page, trained):
    test = open_page("train", run=trained.name)
    test.text_area(key=f"note {trained.name}").set_value("Looks well.").run()
    assert trained.card.note == "Looks well."
    commands = [code.value for code in test.code]
    assert "cxr train --data phantom --backbone cxrtiny --size 64 --epochs 20 --head gap" in commands
