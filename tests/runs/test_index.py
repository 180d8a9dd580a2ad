"""The index of runs: what a list of runs reads, and how soon it sees changes."""

import errno
import os
import subprocess
import sys
import time

import pytest

from cxrcore import runs, watched
from cxrcore.config import run_config
from cxrcore.errors import DamagedFileError
from cxrcore.jobs import queue
from cxrcore.runs import QUEUED, RunCard, Selection
from cxrcore.schema import Stored

LOOP = os.strerror(errno.ELOOP)


@pytest.fixture
def opened(monkeypatch):
    """The names of the JSON files that are read after this point."""
    found = []
    read = Stored.read.__func__

    def noted(cls, path):
        found.append(path.name)
        return read(cls, path)

    monkeypatch.setattr(Stored, "read", classmethod(noted))
    return found


def queued(count):
    return [runs.create(run_config.make(dataset="d"), queued=True) for _ in range(count)]


def test_nothing_is_read_again_where_nothing_has_changed(opened):
    made = queued(3)
    first = runs.known(now=True)
    assert [found.run for found in first] == sorted(made, key=lambda run: run.name, reverse=True)
    assert all(found.status.state == QUEUED for found in first)
    opened.clear()
    assert runs.known(now=True) is first
    assert runs.listing() == [found.run for found in first]
    assert not opened


def test_only_the_run_that_has_changed_is_read_again(opened):
    made = queued(3)
    first = {found.run: found for found in runs.known(now=True)}
    made[1].describe(title="changed")
    opened.clear()
    second = {found.run: found for found in runs.known(now=True)}
    assert second[made[1]].card.title == "changed"
    assert [second[run] is first[run] for run in made] == [True, False, True]
    assert opened.count("status.json") == 1


def test_changes_of_this_process_are_seen_at_once(monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 1000.0)
    first, second = queued(2)
    assert len(runs.listing()) == 2
    second.show(True)
    assert runs.find(second)[0].shown
    second.show(False)
    assert not runs.find(second)[0].shown
    queue.stop(first)
    assert runs.find(first)[0].status.state == "stopped"
    runs.discard(first)
    assert runs.listing() == [second]
    assert runs.find(first) == [None]
    runs.restore(first.name)
    assert len(runs.listing()) == 2


def test_changes_of_another_process_are_seen_after_the_interval(monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 1000.0)
    (run,) = queued(1)
    assert runs.find(run)[0].card.title == ""
    code = f"from cxrcore.runs import Run; from pathlib import Path; Run(Path({str(run.folder)!r})).describe(title='x')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert runs.find(run)[0].card.title == ""
    monkeypatch.setattr(watched, "SECONDS", 0.0)
    assert runs.find(run)[0].card.title == "x"


def test_a_file_that_is_damaged_in_place_or_new_is_seen():
    (run,) = queued(1)
    assert runs.known(now=True)[0].problem is None
    (run.folder / "status.json").write_text("{")
    assert "status.json" in str(runs.known(now=True)[0].problem)
    assert runs.listing() == []
    (run.folder / "status.json").unlink()
    assert str(runs.known(now=True)[0].problem) == "status.json is missing."
    (run.folder / "card.json").write_text("{}")
    assert runs.known(now=True)[0].card is None
    run.folder.rename(run.folder.with_name(".hidden"))
    assert runs.known(now=True) == ()


def test_a_folder_or_a_link_to_nothing_in_place_of_a_file_is_named():
    run, other = queued(2)
    for name in ("card.json", "config.json"):
        path = run.folder / name
        path.unlink(missing_ok=True)
        path.mkdir()
        assert str(runs.damaged()[0].message) == f"{path} is not readable: not a regular file."
        path.rmdir()
        path.symlink_to("nothing")
        (found,) = [found for found in runs.known(now=True) if found.run == run]
        assert str(found.problem) == ("config.json is missing." if name == "config.json" else "None")
        path.unlink()
    assert runs.listing() == [other]


def test_a_file_that_can_be_read_again_is_no_problem_any_more(monkeypatch):
    """Permissions are not in a file's time."""
    (run,) = queued(1)

    def refused(path, *args):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        assert "status.json is not readable: Permission denied." in str(runs.damaged()[0].message)
        assert runs.known(now=True) is runs.known(now=True)
    assert runs.listing() == [run]


def test_a_selection_that_is_missing_or_not_valid_is_damage():
    run = runs.create(run_config.make(dataset="d", head="logistic"))
    assert run.config.tap == "auto", "not chosen yet"
    chosen = Selection(trials=[], size=64, tap="block5_out", l2=1, temperature=1, folds=5, images=4, seconds=1)
    chosen.write(run.folder / "selection.json")
    assert (run.config.tap, run.config.size) == ("block5_out", 64)
    for changes in ({"size": -3}, {"tap": "none"}):
        chosen.model_copy(update=changes).write(run.folder / "selection.json")
        with pytest.raises(DamagedFileError, match=r"selection\.json is not valid"):
            _ = run.config
    (run.folder / "selection.json").unlink()
    (run.folder / "metrics.json").touch()
    with pytest.raises(DamagedFileError, match=r"selection\.json is missing or damaged"):
        _ = run.config


def test_a_second_file_within_the_resolution_of_the_folders_time_is_seen():
    (run,) = queued(1)
    runs.known(now=True)
    before = run.folder.stat()
    RunCard(title="late").write(run.folder / "card.json")
    os.utime(run.folder, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if it had been the same tick
    assert runs.known(now=True)[0].card.title == "late"


def test_a_folder_in_which_nothing_was_replaced_is_not_looked_through(monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 0.01)
    (run,) = queued(1)
    before = time.time() - 60
    os.utime(run.folder, (before, before))
    assert runs.known(now=True)[0].problem is None
    (run.folder / "status.json").write_text("{")  # in place, as no part of the program does
    time.sleep(0.05)
    assert runs.known()[0].problem is None
    assert "status.json" in str(runs.known(now=True)[0].problem)
    run.describe(title="written")
    time.sleep(0.05)
    assert "status.json" in str(runs.known()[0].problem)


@pytest.mark.parametrize("name", ["status.json", "card.json"])
def test_a_link_to_itself_in_place_of_a_file_is_named_and_the_others_are_listed(name):
    run, other = queued(2)
    (run.folder / name).unlink(missing_ok=True)
    (run.folder / name).symlink_to(name)
    assert runs.listing() == [other]
    (damaged,) = runs.damaged()
    assert (damaged.name, str(damaged.message)) == (run.name, f"{run.folder / name} is not readable: {LOOP}.")
    assert runs.known(now=True) is runs.known(now=True)


def test_a_folder_that_links_to_itself_is_named():
    (run,) = queued(1)
    loop = run.folder.with_name("loop")
    loop.symlink_to("loop")
    assert runs.listing() == [run]
    assert str(runs.damaged()[0].message) == f"{loop} is not readable: {LOOP}."
    assert runs.known(now=True) is runs.known(now=True)


def test_a_folder_that_may_not_be_read_is_named_until_it_may(denied):
    run, other = queued(2)
    with denied(run.folder):
        assert runs.listing() == [other]
        assert [str(found.message) for found in runs.damaged()] == [f"{run.folder} is not readable: Permission denied."]
        assert runs.known(now=True) is runs.known(now=True)
    assert set(runs.listing()) == {run, other} and runs.damaged() == []
