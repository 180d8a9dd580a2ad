"""What is known of a folder: when it is looked up again, and that nobody waits for another's look."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from cxrcore import files, watched
from cxrcore.watched import Watched


@pytest.fixture
def looks():
    """The arguments of each look."""
    return []


@pytest.fixture
def counting(looks):
    """What was found is the number of the look."""

    def look(folder, every_file):
        looks.append((folder.name, every_file))
        return len(looks)

    return Watched(look)


def test_a_look_is_kept_for_the_interval_and_a_change_or_another_folder_ends_it(counting, looks, tmp_path, monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 1000.0)
    assert [counting.get(tmp_path / "a"), counting.get(tmp_path / "a")] == [1, 1]
    files.note_change()
    assert counting.get(tmp_path / "a") == 2
    assert counting.get(tmp_path / "b") == 3
    assert counting.get(tmp_path / "b", now=True) == 4
    assert looks == [("a", False), ("a", False), ("b", False), ("b", True)]


def test_every_file_is_looked_at_where_nothing_is_kept(counting, looks, tmp_path, monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 0.0)
    assert [counting.get(tmp_path), counting.get(tmp_path)] == [1, 2]
    assert all(every_file for _, every_file in looks)


@pytest.fixture
def slow(looks):
    """A look that ends when `goes_on` is set, and what it was given."""
    begun, goes_on = Event(), Event()

    def look(folder, every_file):
        looks.append(every_file)
        if len(looks) > 1:
            begun.set()
            assert goes_on.wait(20)
        return len(looks)

    return Watched(look), begun, goes_on


def test_who_asks_while_another_looks_gets_what_was_found_before(slow, tmp_path, monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 0.01)
    kept, begun, goes_on = slow
    assert kept.get(tmp_path) == 1
    time.sleep(0.05)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get, tmp_path)
        assert begun.wait(20)
        assert kept.get(tmp_path) == 1
        now = pool.submit(kept.get, tmp_path, True)
        time.sleep(0.05)
        assert not now.done()
        goes_on.set()
        assert (first.result(20), now.result(20)) == (2, 3)  # the look had begun before `now` was asked
