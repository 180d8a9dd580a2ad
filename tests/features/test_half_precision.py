"""Maps in float16: rounded once, kept apart, in half the space."""

from dataclasses import replace

import numpy as np
import pytest

from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store

KEY = FeatureKey("cxrtiny", "w", 64, "unit", "tap")
# 1 + 2^-11 lies between 1 and the next number of float16, 1 + 2^-10, and is rounded to the even one, 1.
MAPS = np.array([1 + 2**-11, 0.5, -3.0, 65504.0], np.float32).reshape(1, 2, 2, 1)


@pytest.fixture
def half(monkeypatch):
    monkeypatch.setenv("CXR_HALF_PRECISION", "1")


def _kept(store):
    (path,) = store.folder.glob("*.npy")
    return np.load(path)


def test_maps_are_rounded_and_read_as_float32(half):
    store = Store(KEY)
    store.add(["a"], MAPS)
    found = store.read(["a"]).rows([0])
    assert _kept(store).dtype == np.float16 and found.dtype == np.float32
    assert found.ravel().tolist() == [1.0, 0.5, -3.0, 65504.0]


def test_maps_in_float32_are_kept_apart(monkeypatch):
    Store(KEY).add(["a"], MAPS)
    monkeypatch.setenv("CXR_HALF_PRECISION", "1")
    assert Store(KEY).folder.name == f"{KEY.folder}-float16" and Store(KEY).missing(["a"]) == ["a"]
    monkeypatch.setenv("CXR_HALF_PRECISION", "0")
    assert Store(KEY).folder.name == KEY.folder
    assert (Store(KEY).read(["a"]).rows([0]) == MAPS).all()


@pytest.mark.parametrize("changes", [{"pooled": True}, {"moments": True}])
def test_means_and_squares_stay_in_float32(half, changes):
    key = replace(KEY, **changes)
    Store(key).add(["a"], MAPS)
    assert Store(key).folder.name == key.folder and (Store(key).read(["a"]).rows([0]) == MAPS).all()


def test_values_that_are_too_large_are_kept_in_float32(half):
    store, large = Store(KEY), MAPS * 2
    store.add(["a"], large)
    store.add(["b"], MAPS)
    assert (store.read(["b", "a"]).rows([1]) == large).all()
    assert sorted(str(np.load(path).dtype) for path in store.folder.glob("*.npy")) == ["float16", "float32"]
