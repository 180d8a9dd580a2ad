"""Runs that cannot be opened are listed as damaged; all others open."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import DamagedFileError, UserError
from cxrcore.runs import Run, RunStatus

TRUNCATED, FOREIGN = '{"schema_version": 2, "sta', '["something else"]'


@pytest.fixture
def pair(trained):
    """A finished run, and a copy of it to damage."""
    copy = shutil.copytree(trained.folder, trained.folder.with_name("20200101-000000-copy"))
    return trained, Run(copy)


def test_create_and_load(home):
    config = run_config.make(dataset="d", size=64)
    older, newer = runs.create(config), runs.create(config, queued=True)
    assert runs.listing() == [newer, older] and runs.damaged() == []
    assert newer.config == config and newer.status.state == "queued" and older.status.state == "running"
    assert older.status.pid > 0 and older.card.title == "" and older.metrics is None
    assert runs.load("latest") == newer == runs.load(newer.name[:-1])
    with pytest.raises(UserError, match="There is no run 'nothing'"):
        runs.load("nothing")


@pytest.mark.parametrize("content", [TRUNCATED, FOREIGN, "", '{"schema_version": 3}'])
@pytest.mark.parametrize("file", ["config.json", "status.json", "metrics.json", "card.json", "about.json"])
def test_damaged_file_of_one_run_leaves_the_others(file, content, pair):
    whole, copy = pair
    (copy.folder / file).write_text(content)
    assert runs.listing() == [whole]
    (damaged,) = runs.damaged()
    assert damaged.name == copy.name and file in str(damaged.message)
    with pytest.raises(UserError, match=rf"Run {copy.name} cannot be opened: .*{file}"):
        runs.load(copy.name)
    assert runs.load("latest") == whole


@pytest.mark.parametrize("file", ["config.json", "status.json", "about.json"])
def test_missing_file_is_listed_as_damaged(file, pair):
    whole, copy = pair
    (copy.folder / file).unlink()
    assert runs.listing() == [whole]
    assert [(run.name, str(run.message)) for run in runs.damaged()] == [(copy.name, f"{file} is missing.")]


def test_folder_without_files_is_listed_as_damaged(pair):
    (pair[0].folder.parent / "20200101-empty").mkdir()
    (pair[0].folder.parent / "a file.txt").touch()
    assert [run.name for run in runs.damaged()] == ["20200101-empty"]


def test_invalid_setting_is_named(pair):
    whole, copy = pair
    values = json.loads((copy.folder / "config.json").read_text()) | {"tap": "nowhere"}
    (copy.folder / "config.json").write_text(json.dumps(values))
    assert "tap of cxrtiny: expected one of" in str(runs.damaged()[0].message) and runs.listing() == [whole]


@pytest.mark.parametrize("name", ["created", "started", "ended", "stage_started"])
@pytest.mark.parametrize("time", ["1e300", "1e15", "-1e15", "NaN", "Infinity"])
def test_time_that_is_no_date_is_named_as_damage(pair, name, time):
    whole, copy = pair
    values = json.loads((copy.folder / "status.json").read_text()) | {name: 0}
    (copy.folder / "status.json").write_text(json.dumps(values).replace(f'"{name}": 0', f'"{name}": {time}'))
    assert runs.listing() == [whole] and [run.name for run in runs.damaged()] == [copy.name]


def test_damaged_table_is_an_error_of_its_own(pair):
    _, copy = pair
    (copy.folder / "table.parquet").write_bytes(b"PAR1")
    (copy.folder / "predictions.parquet").unlink()
    (copy.folder / "heatmaps.npy").write_bytes(b"\x93NUMPY")
    assert copy in runs.listing()
    for read in (lambda: copy.table, copy.predictions, copy.heatmaps):
        with pytest.raises(DamagedFileError, match="damaged"):
            read()


def test_damaged_line_of_the_events_is_left_out(pair):
    _, copy = pair
    before = copy.epochs
    with (copy.folder / "events.jsonl").open("a") as file:
        file.write('{"epoch": \n7\n{"epoch": 21, "event": "learning-rate", "value": 0.1}\n')
    assert copy.epochs == before and [event.value for event in copy.events] == [0.1]


def test_event_that_no_page_could_show_is_left_out(pair):
    _, copy = pair
    with (copy.folder / "events.jsonl").open("a") as file:
        file.write('{"epoch": 21, "event": "learning-rate", "value": 0.1, "message": "\\ud800"}\n')
    assert copy.events == []


@pytest.mark.parametrize("damage", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.name)])
def test_events_that_cannot_be_read_are_left_out(pair, damage):
    path = pair[1].folder / "events.jsonl"
    path.unlink()
    damage(path)
    assert pair[1].epochs == pair[1].events == []


def test_trash(pair):
    whole, copy = pair
    runs.discard(whole)
    runs.discard(copy)
    assert runs.listing() == [] and set(runs.discarded()) == {
        Run(whole.folder.parent / ".trash" / run.name) for run in pair
    }
    runs.discarded()[0].folder.joinpath("status.json").write_text(TRUNCATED)
    assert len(runs.discarded()) == 1
    name = runs.discarded()[0].name
    assert runs.restore(name).name == name and [run.name for run in runs.listing()] == [name]
    with pytest.raises(UserError, match="is not in the trash any more"):
        runs.restore(name)


def test_describe_and_show(trained):
    trained.describe(title="baseline", tags=["a"])
    trained.describe(note="first")
    assert (trained.title, trained.card.tags, trained.card.note) == ("baseline", ["a"], "first")
    assert not trained.shown
    trained.show(True)
    assert trained.shown
    trained.show(False)
    assert not trained.shown


def test_settings_under_dotted_names(trained):
    settings = trained.settings
    assert settings["size"] == 64 and settings["split.kind"] == "patient" and settings["augment"] is None
    assert "split" not in settings


def test_status_of_a_queued_continuation_keeps_the_previous_one(tmp_path):
    before = RunStatus(state="finished", created=1.0)
    RunStatus(state="queued", previous=before, previous_config={"epochs": 3}).write(tmp_path / "status.json")
    found = RunStatus.read(tmp_path / "status.json")
    assert found.previous == before and found.previous_config == {"epochs": 3}
