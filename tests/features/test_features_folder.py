"""The folder of cached features on another disk."""

import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from cxrcore import cluster, settings
from cxrcore.errors import UserError
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.maintenance import collection, doctor, leftovers
from cxrcore.ui.status import state

KEY = FeatureKey("cxrtiny", "w", 64, "unit", "tap")
MAPS = np.ones((1, 512, 512, 1), np.float32)
MEMORY = Path("/dev/shm")


@pytest.fixture
def disk(home, tmp_path, monkeypatch):
    """A folder on another disk than the workspace, or at least in another folder where there is none."""
    home.mkdir()
    parent = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
    folder = parent / f"cxr-{uuid4().hex}"
    monkeypatch.setenv("CXR_FEATURES_DIR", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_features_are_written_and_read_there_alone(home, disk):
    Store(KEY).add(["a"], MAPS)
    assert not Store(KEY).missing(["a"]) and Store(KEY).read(["a"]).rows([0]).sum() == 512 * 512
    assert Store(KEY).folder.parent == disk == settings.features_folder()
    assert list(home.iterdir()) == []


def test_each_file_is_replaced_by_one_of_the_same_disk(disk, monkeypatch):
    """A file cannot be renamed onto another disk, so that its temporary one must be beside it."""
    renamed, rename = [], Path.replace

    def replaced(source, target):
        renamed.append((source.parent, target.parent))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", replaced)
    Store(KEY).add(["a"], MAPS)
    assert renamed == [(Store(KEY).folder, Store(KEY).folder)] * 3


def test_limit_of_the_cache_counts_there(disk, monkeypatch):
    monkeypatch.setenv("CXR_CACHE_GB", "0.0015")  # one of these maps
    for tap in ("first", "second"):
        Store(replace(KEY, tap=tap)).add(["a"], MAPS)
    assert [folder.name for folder in disk.glob("[!.]*")] == [replace(KEY, tap="second").folder]


def test_leftovers_and_unused_features_are_found_there(disk, monkeypatch):
    monkeypatch.setattr(leftovers, "SETTLED_SECONDS", -1)
    Store(KEY).add(["a"], MAPS)
    torn = Store(KEY).folder / ".0123abcd.npy"
    torn.touch()
    assert [problem.path for problem in doctor.check()] == [torn]
    assert doctor.repair(doctor.check()) == [] and not torn.exists()
    unused = collection.find()
    assert [each.path for each in unused] == [Store(KEY).folder] and unused[0].size > MAPS.nbytes
    collection.delete(unused)
    assert not Store(KEY).folder.exists()


Usage = namedtuple("Usage", "free")


def test_disk_that_is_nearly_full_is_named(home, disk, monkeypatch):
    disk.mkdir()
    free = {home: 8 * 10**9, disk: 3 * 10**8}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(free[folder]))
    if disk.stat().st_dev != home.stat().st_dev:
        (problem,) = doctor.check()
        assert problem.path == disk and "Only 300 MB of the disk are free" in str(problem.message)
    assert state.read().free_disk == 3 * 10**8


def test_size_on_the_status_page_is_that_of_the_folder_there(home, disk):
    Store(KEY).add(["a"], MAPS)
    (home / "features").mkdir()
    (home / "features" / "old").write_bytes(b"1" * 10**7)
    assert MAPS.nbytes < state.folder_sizes()["features"] < 10**7


def test_worker_that_would_keep_features_elsewhere(home, disk, monkeypatch):
    call = cluster._Call(len)
    assert call([1, 2]) == 2
    monkeypatch.delenv("CXR_FEATURES_DIR")
    with pytest.raises(UserError, match=f"keeps features in {home / 'features'}, not {disk}"):
        call([1, 2])


def test_worker_that_would_keep_another_precision(home, monkeypatch):
    call = cluster._Call(len)
    monkeypatch.setenv("CXR_HALF_PRECISION", "1")
    with pytest.raises(UserError, match="keeps maps in another precision"):
        call([1, 2])
