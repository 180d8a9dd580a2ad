"""The limit of the cached features."""

import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.features import cache
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Activations, Store

MEGABYTE = np.zeros((1, 512, 512, 1), np.float32)


def _store(tap):
    return Store(FeatureKey("cxrtiny", "w", 64, "unit", tap))


def _kept():
    return {folder.name for folder in settings.features_folder().glob("[!.]*")}


@pytest.fixture
def limit(monkeypatch):
    monkeypatch.setenv("CXR_CACHE_GB", "0.0035")  # three of these maps


def test_least_recently_used_is_deleted_first(home, limit):
    stores = [_store(f"tap{k}") for k in range(4)]
    for number, store in enumerate(stores[:3]):
        store.add(["a"], MEGABYTE)
        store.read(["a"])
        os.utime(store.folder / ".used", (number + 100,) * 2)
    stores[0].read(["a"])  # so that the second is now the least recently used
    stores[3].add(["a"], MEGABYTE)
    assert _kept() == {stores[k].folder.name for k in (0, 2, 3)}
    assert stores[1].missing(["a"]) == ["a"] and stores[0].missing(["a"]) == []


def test_activations_in_use_are_kept(home, limit):
    stores = [_store(f"tap{k}") for k in range(5)]
    stores[0].add(["a"], MEGABYTE + 7)
    reading = Activations.joined([stores[0].read(["a"])])
    os.utime(stores[0].folder / ".used", (1, 1))
    for store in stores[1:4]:
        store.add(["a"], MEGABYTE)
    assert stores[0].folder.name in _kept() and reading.rows([0]).max() == 7
    del reading
    stores[4].add(["a"], MEGABYTE)
    assert stores[0].folder.name not in _kept()


def test_marker_of_a_dead_process_protects_nothing(home, limit):
    stores = [_store(f"tap{k}") for k in range(4)]
    stores[0].add(["a"], MEGABYTE)
    (stores[0].folder / ".999999-5-x.using").touch()
    os.utime(stores[0].folder, (1, 1))
    for store in stores[1:]:
        store.add(["a"], MEGABYTE)
    assert stores[0].folder.name not in _kept()


def test_marker_of_another_machine_protects_for_a_week(home, limit):
    stores = [_store(f"tap{k}") for k in range(5)]
    stores[0].add(["a"], MEGABYTE)
    marker = stores[0].folder / ".999999-5-x.using"
    marker.write_text("another-machine")
    os.utime(stores[0].folder, (1, 1))
    for store in stores[1:4]:
        store.add(["a"], MEGABYTE)
    assert stores[0].folder.name in _kept()
    os.utime(marker, (time.time() - 8 * 24 * 3600,) * 2)
    stores[4].add(["a"], MEGABYTE)
    assert stores[0].folder.name not in _kept()


def test_features_in_use_are_kept_when_the_clock_is_set(home, limit, monkeypatch):
    store = _store("tap")
    store.add(["a"], MEGABYTE)
    reading = store.read(["a"])
    started = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: started(process) + 3600)
    cache.delete(store.folder)
    assert store.folder.name in _kept()
    del reading


def test_one_dataset_may_exceed_the_limit(home, limit):
    store = _store("tap")
    for number in range(6):
        store.add([str(number)], MEGABYTE)
    assert store.missing([str(number) for number in range(6)]) == []


@pytest.mark.parametrize("text", ["0", "-1", "much"])
def test_invalid_limit(text, monkeypatch):
    monkeypatch.setenv("CXR_CACHE_GB", text)
    with pytest.raises(UserError, match="CXR_CACHE_GB must be a number over 0"):
        settings.cache_bytes()


def test_folder_that_another_process_deletes_meanwhile(home, limit, monkeypatch):
    """Between the steps of making room: when sizes, times of use and markers are read."""
    stores = [_store(f"tap{k}") for k in range(6)]
    for store in stores[:3]:
        store.add(["a"], MEGABYTE)

    def after_deletion(step, victim):
        def called(folder):
            shutil.rmtree(victim.folder, ignore_errors=True)
            return step(folder)

        return called

    for number, name in enumerate(["_size", "_last_used", "_in_use"]):
        with monkeypatch.context() as patch:
            patch.setattr(cache, name, after_deletion(getattr(cache, name), stores[number]))
            stores[3 + number].add(["a"], MEGABYTE)
    assert stores[5].missing(["a"]) == []


def test_folder_that_is_marked_while_room_is_made_stays_marked(home, limit, monkeypatch):
    """Deleted after the check, its marker would be lost, and the folder with it while it is read."""
    stores = [_store(f"tap{k}") for k in range(4)]
    for store in stores[:3]:
        store.add(["a"], MEGABYTE)
    in_use, checked = cache._in_use, threading.Event()

    def slow(folder):
        found = in_use(folder)
        checked.set()
        time.sleep(0.2)
        return found

    def use():
        checked.wait()
        cache.use(stores[0].folder, stores[0])

    monkeypatch.setattr(cache, "_in_use", slow)
    os.utime(stores[0].folder, (1, 1))
    thread = threading.Thread(target=use)
    thread.start()
    stores[3].add(["a"], MEGABYTE)
    thread.join()
    assert list(stores[0].folder.glob(".*.using"))


def test_processes_make_room_at_the_same_time(home):
    script = """
import sys
import numpy as np
from cxrcore.features import cache
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
for number in range(30):
    store = Store(FeatureKey("cxrtiny", "w", 64, "unit", f"tap {number % 4}"))
    cache.use(store.folder, store)
    if store.missing(["a"]):
        store.add(["a"], np.zeros((1, 64, 64, 1), np.float32))
    assert store.read(["a"]).rows([0]).shape == (1, 64, 64, 1)
"""
    environment = os.environ | {"CXR_CACHE_GB": "0.00002"}  # one of these maps
    processes = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.communicate()[1] == "" and process.returncode == 0
    assert len(_kept()) <= 4


@pytest.mark.parametrize("content", ["garbage", "[" * 3000, "[1]", "7", '["\\ud800"]', None])
def test_images_of_a_damaged_index_are_not_kept(home, content):
    store = _store("a")
    store.add(["x"], MEGABYTE)
    store.add(["y"], MEGABYTE)
    (damaged,) = [path for path in store.folder.glob("*.index") if "y" in path.read_text()]
    damaged.unlink()
    if content:
        damaged.write_text(content)
    else:
        damaged.symlink_to(damaged.name)
    assert store.missing(["x", "y"]) == ["y"]


def test_images_of_an_index_that_could_not_be_read_once_are_kept(home, denied):
    store = _store("a")
    store.add(["x"], MEGABYTE)
    (index,) = store.folder.glob("*.index")
    with denied(index):
        assert store.missing(["x"]) == ["x"]
    assert store.missing(["x"]) == []
