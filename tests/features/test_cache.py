"""The bound of the kept activations."""

import os

import numpy as np
import pytest

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.features.config import FeatureSpec
from cxrcore.features.store import Activations, Store

MEGABYTE = np.zeros((1, 512, 512, 1), np.float32)


def _store(tap):
    return Store(FeatureSpec("cxrtiny", "w", 64, "unit", tap))


def _kept():
    return {folder.name for folder in settings.features_folder().iterdir()}


@pytest.fixture
def bound(monkeypatch):
    monkeypatch.setenv("CXR_CACHE_GB", "0.0035")  # three of these maps


def test_what_was_not_used_for_longest_goes_first(home, bound):
    stores = [_store(f"tap{k}") for k in range(4)]
    for number, store in enumerate(stores[:3]):
        store.add(["a"], MEGABYTE)
        store.read(["a"])
        os.utime(store.folder / ".used", (number + 100,) * 2)
    stores[0].read(["a"])  # so the second is now the one not used for longest
    stores[3].add(["a"], MEGABYTE)
    assert _kept() == {stores[k].folder.name for k in (0, 2, 3)}
    assert stores[1].missing(["a"]) == ["a"] and stores[0].missing(["a"]) == []


def test_what_is_in_use_stays_until_it_is_not(home, bound):
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


def test_the_marks_of_dead_processes_protect_nothing(home, bound):
    stores = [_store(f"tap{k}") for k in range(4)]
    stores[0].add(["a"], MEGABYTE)
    (stores[0].folder / ".999999-5-x.using").touch()
    os.utime(stores[0].folder, (1, 1))
    for store in stores[1:]:
        store.add(["a"], MEGABYTE)
    assert stores[0].folder.name not in _kept()


def test_one_dataset_may_take_more_than_the_bound(home, bound):
    store = _store("tap")
    for number in range(6):
        store.add([str(number)], MEGABYTE)
    assert store.missing([str(number) for number in range(6)]) == []


@pytest.mark.parametrize("text", ["0", "-1", "much"])
def test_a_bound_that_is_none_is_named(text, monkeypatch):
    monkeypatch.setenv("CXR_CACHE_GB", text)
    with pytest.raises(UserError, match="CXR_CACHE_GB must be a number over 0"):
        settings.cache_bytes()
