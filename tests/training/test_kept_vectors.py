"""Vectors in memory or in a file."""

import errno

import numpy as np
import pytest

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.training import kept_vectors
from cxrcore.training.kept_vectors import KeptVectors


def _parts(values):
    return (values[start : start + 7].astype(np.float64) for start in range(0, len(values), 7))


@pytest.mark.parametrize("memory", [0, 4 * 20 * 3, 10**6], ids=["file", "just in memory", "in memory"])
def test_rows_and_blocks_are_those_that_were_given(memory, monkeypatch):
    monkeypatch.setattr(kept_vectors, "_BLOCK_VALUES", 25)
    values = np.arange(60, dtype=np.float32).reshape(20, 3)
    kept = KeptVectors(20, _parts(values), memory)
    chosen = np.array([2, 3, 19, 0])
    np.testing.assert_array_equal(kept[chosen], values[chosen])
    blocks = list(kept)
    assert [len(block) for block in blocks] == [8, 8, 4] and blocks[0].dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(blocks), values)
    np.testing.assert_array_equal(np.concatenate([*kept]), values, "a second time")
    maps = KeptVectors(20, _parts(values.reshape(20, 1, 3)), memory)
    assert maps[chosen].shape == (4, 1, 3)


def test_file_has_no_name_so_that_nothing_is_left_of_a_killed_process():
    kept = KeptVectors(5, [np.ones((5, 2))], memory=39)
    assert list(settings.features_folder().iterdir()) == [] and kept[:].sum() == 10


class _FullDisk:
    def write(self, content):
        raise OSError(errno.ENOSPC, "no space")


def test_full_disk_is_named(monkeypatch):
    monkeypatch.setattr(kept_vectors, "TemporaryFile", lambda dir: _FullDisk())
    with pytest.raises(UserError, match="the disk is full"):
        KeptVectors(5, [np.ones((5, 2))], memory=0)
