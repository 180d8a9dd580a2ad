"""`cxr doctor` names what is wrong in a workspace and repairs what is safe; `cxr gc` lists before it deletes."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.faults import DAMAGES
from cxrcore import runs, settings
from cxrcore.cli import app
from cxrcore.config import run_config
from cxrcore.data import dataset, editing, staging
from cxrcore.errors import UserError
from cxrcore.jobs import run_process, tasks
from cxrcore.maintenance import collection, doctor, leftovers
from cxrcore.messages import msg
from cxrcore.runs import ProcessId
from cxrcore.sweeps import plan, sweep


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    monkeypatch.setattr(leftovers, "SETTLED_SECONDS", -1)
    monkeypatch.setattr(doctor, "END_SECONDS", 0.0)


def _messages(problems):
    return sorted(f"{problem.message} {problem.path.name}" for problem in problems)


def _aged(path, seconds):
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_sound_workspace(trained):
    assert doctor.check() == [] and collection.find() == []
    result = CliRunner().invoke(app, ["doctor"], standalone_mode=False)
    assert result.return_value == 0 and "Nothing is wrong." in result.output


def test_empty_workspace(home):
    assert doctor.check() == [] and collection.find() == [] and not home.exists()


def test_dead_run_and_task_are_marked_and_the_rest_is_named(trained):
    gone = {"pid": 2**31 - 1, "pid_started": 1.0}
    dead = runs.create(run_config.make(dataset="phantom", size=64))
    run_process.write_status(dead, dead.status, **gone)
    tasks.TaskStatus(state="running", **gone).write(tasks.file(trained.folder, "shortcut"))
    (trained.folder / "stop").touch()
    copy = shutil.copytree(trained.folder, trained.folder.with_name("20200101-copy"))
    shutil.rmtree(copy / "tasks")
    (copy / "config.json").write_text("{")
    image = dataset.load("phantom").usable["path"].iloc[0]
    os.unlink(image)  # noqa: PTH108
    found = doctor.check()
    assert _messages(found) == sorted(
        [
            f"Run {dead.name} is marked as running, but its process has ended. {dead.name}",
            "The task shortcut is marked as running, but its process has ended. shortcut.json",
            f"Run {trained.name} has ended; a request to it is left. stop",
            f"Run 20200101-copy is damaged: {copy}/config.json is damaged: it is truncated, or not JSON. 20200101-copy",
            f"Image files of phantom are missing: 1 of 60 ({os.path.basename(image)}). phantom",  # noqa: PTH119
        ]
    )
    left = doctor.repair(found)
    assert _messages(left) == [text for text in _messages(found) if "damaged" in text or "missing" in text]
    assert dead.status.state == "failed" and tasks.status(trained, "shortcut").state == "failed"
    result = CliRunner().invoke(app, ["doctor", "--json"], standalone_mode=False)
    assert result.return_value == 1
    assert {row["state"] for row in json.loads(result.stdout)["problems"]} == {"to be decided"}


@pytest.mark.parametrize("damage", ["truncated", "emptied", "missing", "a list", "a folder"])
def test_each_damaged_file_of_a_finished_run_is_named(trained, damage):
    files = [
        "predictions.parquet", "table.parquet", "head.keras", "events.jsonl", "heatmaps.npy", "vectors.npz",
        "notes.json",
    ]  # fmt: skip
    (trained.folder / "notes.json").write_text('{"notes": {}}')
    if damage == "missing":
        files = [*files[:4], "metrics.json", "about.json", "notes.json"]
    needed = files[:-1] if damage == "missing" else files
    for name in files:
        DAMAGES[damage](trained.folder / name)
    found = doctor.check()
    assert sorted(problem.path.name for problem in found) == sorted(needed)
    assert all(f"Run {trained.name} is damaged: {problem.path} is " in str(problem.message) for problem in found)
    assert doctor.repair(found) != [], "a person has to decide"


@pytest.mark.parametrize("line", [b"\xff\x00", b"{}", b"[1]", b'{"epoch": 1}', b'{"event": "reduced", "epoch": "x"}'])
def test_line_of_the_events_that_the_pages_leave_out_is_named(trained, line):
    path = trained.folder / "events.jsonl"
    before = len(trained.epochs)
    path.write_bytes(path.read_bytes() + line + b"\n")
    assert len(trained.epochs) == before
    (found,) = doctor.check()
    assert str(found.message) == f"Run {trained.name} is damaged: {path} is missing or damaged."


def test_line_that_is_being_written_is_no_damage(trained):
    path = trained.folder / "events.jsonl"
    run_process.write_status(trained, trained.status, state="stopped")
    path.write_bytes(path.read_bytes() + b'{"epo')
    assert doctor.check() == []


@pytest.mark.parametrize("line", [b"\xff\x00", b"{}", b"[1]"])
def test_damaged_edits_of_a_dataset_are_named(phantom, line):
    editing.exclude(phantom.name, [0])
    with (phantom.folder / "edits.jsonl").open("ab") as file:
        file.write(line + b"\n")
    (found,) = doctor.check()
    assert "Dataset phantom is damaged: " in str(found.message) and "edits.jsonl is damaged" in str(found.message)


def test_task_of_a_newer_version_is_named_and_kept(trained):
    file = tasks.file(trained.folder, "shortcut")
    tasks.TaskStatus(state="running").write(file)
    DAMAGES["newer"](file)
    (found,) = doctor.check()
    assert found.path == file and "was written by a newer version of this program" in str(found.message)
    assert doctor.repair([found]) != [] and file.exists()


def test_task_that_cannot_be_read_now_is_named_once_and_kept(trained, denied):
    file = tasks.file(trained.folder, "shortcut")
    tasks.TaskStatus(state="running").write(file)
    with denied(file):
        (found,) = doctor.check()
        assert found.path == file and "Permission denied" in str(found.message)
        assert doctor.repair([found]) == [found]
    assert file.exists()


def test_damaged_file_of_a_dataset_is_named(phantom):
    (phantom.folder / "measures.parquet").write_text("[1, 2]")
    (found,) = doctor.check()
    assert f"Dataset phantom is damaged: {phantom.folder / 'measures.parquet'} is damaged" in str(found.message)


def test_interrupted_writes_are_removed(trained, home, monkeypatch):
    temporary = trained.folder / ".0123abcd.json"
    temporary.touch()
    (home / "runs" / ".new-20200101-x").mkdir()
    (trained.folder / ".keep").touch()
    monkeypatch.setattr(leftovers, "SETTLED_SECONDS", 60)
    assert doctor.check() == [], "a write may be under way"
    _aged(temporary, 61)
    _aged(home / "runs" / ".new-20200101-x", 61)
    assert len(doctor.check()) == 2 and doctor.repair(doctor.check()) == []
    assert not temporary.exists() and (trained.folder / ".keep").exists()


def test_dataset_whose_replacement_was_killed_is_put_back(phantom, monkeypatch):
    content = phantom.table
    hidden = phantom.folder.rename(dataset.replaced(phantom.name))  # as between the two renames
    monkeypatch.setattr(staging, "_KEPT_DAYS", -1)
    with staging.resumable("other", []):  # removes old imports
        pass
    assert phantom.name not in dataset.names()
    assert not [unused for unused in collection.find() if unused.path == hidden]
    (problem,) = doctor.check()
    assert str(problem.message) == f"Dataset {phantom.name} is hidden: its replacement was interrupted."
    phantom.folder.mkdir()
    problem.repair()
    assert hidden.exists(), "its place was taken meanwhile"
    phantom.folder.rmdir()
    assert doctor.repair([problem]) == []
    assert dataset.load(phantom.name).table.equals(content)


def test_remains_of_a_replaced_dataset_do_not_come_back(phantom):
    hidden = shutil.copytree(phantom.folder, dataset.replaced(phantom.name))  # as where removing it was interrupted
    assert doctor.check() == []
    (found,) = (unused for unused in collection.find() if unused.path == hidden)
    phantom.folder.rename(phantom.folder.with_name("other"))
    collection.delete([found])
    assert hidden.exists(), "another replacement has begun, whose dataset this is"
    phantom.folder.with_name("other").rename(phantom.folder)
    collection.delete([found])
    assert not hidden.exists() and dataset.load(phantom.name).table.equals(phantom.table)
    shutil.copytree(phantom.folder, hidden)
    dataset.delete(phantom.name)
    assert doctor.check() == [] and not hidden.exists()
    hidden.mkdir()
    (hidden / dataset.INFO).touch()
    assert hidden in [unused.path for unused in collection.find()] and doctor.check() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_dataset_stays_where_its_replacement_fails(phantom, home, monkeypatch, error):
    new, content, rename = home / "datasets" / ".importing-1", phantom.table, type(home).replace

    def failing(self, target):
        if self == new:
            raise error
        return rename(self, target)

    with monkeypatch.context() as patched, pytest.raises(error):
        patched.setattr(type(home), "replace", failing)
        staging.publish(new, phantom.name, content.iloc[:6], phantom.info, replace=True)
    assert dataset.load(phantom.name).table.equals(content) and not dataset.replaced(phantom.name).exists()
    staging.publish(new, phantom.name, content.iloc[:6], phantom.info, replace=True)
    assert len(dataset.load(phantom.name).table) == 6 and not dataset.replaced(phantom.name).exists()


def test_task_of_a_sweep_of_a_newer_version_is_named(phantom):
    base = run_config.make(dataset="phantom", size=64, head="gap")
    settings = {"dropout": {"choices": (0.0, 0.5)}}
    made = sweep.create("some", plan.make({"base": base.plain(), "settings": settings, "trials": 1}))
    file = tasks.file(made.folder, "sweep")
    tasks.TaskStatus(state="running").write(file)
    DAMAGES["newer"](file)
    (found,) = doctor.check()
    assert found.path == file and found.repair is None


def test_unreadable_features_are_removed(trained, home):
    (shard,) = (home / "features").glob("*/*.npy")
    index = shard.with_suffix(".index")
    shutil.copy(shard, shard.with_name("b" * 32 + ".npy"))  # the index is written last
    shutil.copy(index, shard.with_name("c" * 32 + ".index"))
    np.save(shard.with_name("d" * 32 + ".npy"), np.zeros((2, 1, 1, 1), np.float32))
    shard.with_name("d" * 32 + ".index").write_text('["only one"]')
    assert sorted(path.name[0] + path.suffix for path in leftovers.shards()) == ["b.npy", "c.index", "d.index", "d.npy"]
    assert doctor.repair(doctor.check()) == [] and shard.exists() and index.exists()
    shard.write_bytes(shard.read_bytes()[:-4])
    assert leftovers.shards() == [index, shard]


def test_features_that_cannot_be_read_now_are_kept(trained, denied):
    path = next(settings.features_folder().glob("*/[!.]*.index"))
    with denied(path):
        assert doctor.check() == [] and leftovers.shards() == []


def test_worker_that_no_run_names_is_ended(home):
    run = runs.create(run_config.make(dataset="d", size=64))
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", *run_process.work(run)])
    run_process.write_status(run, run.status, worker=True, **dict(runs.process_id(process.pid)))
    assert doctor.check() == []
    run_process.write_status(run, run.status, state="stopped", **dict(ProcessId()))
    assert _messages(doctor.check()) == [
        f"Process {process.pid} works on {run.name}, which does not name it. {run.name}"
    ]
    assert doctor.repair(doctor.check()) == []
    process.wait(10)


def test_worker_that_is_about_to_end_is_not_named(home, monkeypatch):
    monkeypatch.setattr(doctor, "END_SECONDS", 1.5)
    run = runs.create(run_config.make(dataset="d", size=64))
    run_process.write_status(run, run.status, state="stopped")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.8)", *run_process.work(run)])
    assert doctor.check() == []
    assert process.wait(10) == 0


def test_gc_lists_and_deletes_only_when_told(trained, home, monkeypatch):
    other = shutil.copytree(trained.folder, trained.folder.with_name("20200101-old"))
    runs.discard(runs.Run(other))
    trash = home / "runs" / ".trash" / "20200101-old"
    with staging.staging() as folder:
        (folder / "a.png").write_bytes(b"x" * 1000)
        kept = shutil.copytree(folder, home / "datasets" / ".importing-kept")
    (home / "features" / "unknown").mkdir()
    (home / "features" / "unknown" / "a.index").write_text('["f00"]')
    np.save(home / "features" / "unknown" / "a.npy", np.zeros((1, 1, 1, 1), np.float32))
    assert [unused.path.name for unused in collection.find()] == ["unknown"], "the import may be under way"
    _aged(kept, 86_500)
    assert {unused.path.name: unused.size for unused in collection.find()} == {".importing-kept": 1000, "unknown": 139}
    assert {unused.path.name for unused in collection.find(trash=True)} >= {"20200101-old"}
    _aged(trash, 8 * 86_400)
    result = CliRunner().invoke(app, ["gc"], standalone_mode=False)
    total = 1139 + leftovers.size(trash)
    assert f"{total:,} bytes can be freed" in result.output and trash.exists() and kept.exists()
    result = CliRunner().invoke(app, ["gc", "--yes"], standalone_mode=False)
    assert f"Deleted: {total:,} bytes." in result.output and collection.find() == []
    assert trained.results and doctor.check() == []


def test_read_only_workspace_is_checked_but_not_changed(trained, home, monkeypatch):
    (trained.folder / ".0123abcd.json").touch()
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    assert len(doctor.check()) == 1 and len(collection.find()) == 1
    with pytest.raises(UserError, match="CXR_READ_ONLY"):
        doctor.repair(doctor.check())
    with pytest.raises(UserError, match="CXR_READ_ONLY"):
        collection.delete(collection.find())


def test_repair_goes_on_after_what_cannot_be_removed(trained, tmp_path):
    for name in ("stop", "pause"):  # folders in place of requests
        (trained.folder / name).mkdir()
    link = trained.folder.parent / ".new-x"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    link.symlink_to(elsewhere)
    found = doctor.check()
    assert {problem.path.name for problem in found} >= {"stop", "pause", ".new-x"}
    failing = doctor.Problem(msg("x"), tmp_path, (tmp_path / "missing").rmdir)
    assert doctor.repair([failing, *found]) == []
    assert (elsewhere / "kept").exists() and not link.is_symlink()


def test_damaged_run_stays_in_the_trash_for_a_week(trained):
    (trained.folder / "config.json").write_text("{")
    runs.discard(trained)
    (place,) = (trained.folder.parent / ".trash").iterdir()
    assert place not in [unused.path for unused in collection.find()]
    _aged(place, 8 * 86_400)
    assert place in [unused.path for unused in collection.find()]
