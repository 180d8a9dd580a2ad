"""Fits by gradient descent of data that are larger than the memory they may take."""

import numpy as np
import pytest

from cxrcore.training import feature_vectors
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import epoch_order
from tests.training.toy import ArrayMaps, fit_head, make_maps

ROWS = 3_000


@pytest.fixture
def sorted_maps():
    """Maps sorted by class, as a dataset of one folder for each class is; every tenth row is for validation."""
    maps, labels = make_maps(count=ROWS)
    maps.maps += np.random.default_rng(1).normal(0, 4, maps.maps.shape).astype(np.float32)
    order = np.argsort(labels, kind="stable")
    return ArrayMaps(maps.maps[order]), labels[order]


def _vectors():
    """Return vectors whose value is the number of their row, 240 to a block, in runs of 3."""
    maps = ArrayMaps(np.arange(ROWS, dtype=np.float32)[:, None, None, None])
    return FeatureVectors(maps, np.arange(ROWS), np.arange(ROWS), batch_size=24, memory=1)


def _visited(vectors, order):
    """Return the rows of each block in the order of their visit, and those of each block as they were read."""
    read = [np.asarray(block[0]).ravel().astype(int) for block in vectors.blocks(order)]
    within = [np.asarray(block[2]) for block in vectors.blocks(order)]
    for rows, (_, labels, _) in zip(read, vectors.blocks(order), strict=True):
        np.testing.assert_array_equal(rows, np.asarray(labels))
    return [rows[places] for rows, places in zip(read, within, strict=True)], read


def test_epoch_reads_runs_of_rows_in_random_order_and_shuffles_each_block():
    vectors = _vectors()
    order = epoch_order(ROWS, 0, 1)
    visited, read = _visited(vectors, order)
    assert [len(rows) for rows in visited] == [240] * 12 + [120]
    assert sorted(np.concatenate(visited)) == list(range(ROWS))
    for rows, sequence in zip(read, visited, strict=True):
        assert (np.diff(rows) > 0).all() and (np.diff(sequence) < 0).sum() > len(rows) / 4
        runs = np.unique(rows // 3)
        assert len(runs) == len(rows) // 3, "whole runs"
        assert np.ptp(runs) > 500, "from everywhere"
        places = np.flatnonzero(np.isin(order, rows))
        np.testing.assert_array_equal(sequence, order[places])
    other, _ = _visited(vectors, epoch_order(ROWS, 0, 2))
    assert set(other[0]) != set(visited[0])


def test_validation_is_read_from_one_end_to_the_other():
    np.testing.assert_array_equal(np.concatenate(_visited(_vectors(), None)[1]), np.arange(ROWS))


def test_single_rows_are_visited_as_in_memory(monkeypatch):
    monkeypatch.setattr(feature_vectors, "_RUN_BYTES", 1)
    order = epoch_order(ROWS, 0, 1)
    np.testing.assert_array_equal(np.concatenate(_visited(_vectors(), order)[0]), order)


def test_losses_are_those_in_memory_when_the_buffer_holds_all(sorted_maps, monkeypatch):
    """The vectors lie in a file, of which one block is read."""
    maps, labels = sorted_maps
    held_out = np.arange(ROWS) % 10 == 0
    parts = np.concatenate([np.flatnonzero(~held_out), np.flatnonzero(held_out)])
    values = {"epochs": 3, "dropout": 0.0, "learning_rate": 0.01}
    size = 4 * 6 * (2_700 + 32)  # a block is a multiple of the batch size
    _, in_memory, _ = fit_head(values, maps, labels, rows=parts, memory=2**30, trained=2_700)
    read = []
    blocks = FeatureVectors.blocks
    monkeypatch.setattr(feature_vectors, "_fit", lambda rows, most: False)
    monkeypatch.setattr(FeatureVectors, "blocks", lambda self, *order: read.append(self) or blocks(self, *order))
    _, full, _ = fit_head(values, maps, labels, rows=parts, memory=size, trained=2_700)
    assert len({id(each) for each in read}) == 2 and not any(each.in_memory for each in read)
    assert [(e.loss, e.val_loss) for e in full.epochs] == [(e.loss, e.val_loss) for e in in_memory.epochs]


def test_accuracy_with_a_buffer_of_a_tenth_is_that_in_memory_within_one_point(sorted_maps):
    maps, labels = sorted_maps
    held_out = np.arange(ROWS) % 10 == 0
    parts = np.concatenate([np.flatnonzero(~held_out), np.flatnonzero(held_out)])
    values = {"epochs": 20, "dropout": 0.0, "learning_rate": 0.01}
    accuracies = [
        fit_head(values, maps, labels, rows=parts, memory=memory, trained=2_700)[1].epochs[-1].val_accuracy
        for memory in (2**30, 4 * 6 * 270)
    ]
    assert 0.7 < accuracies[0] < 0.99 and accuracies[1] == pytest.approx(accuracies[0], abs=0.01)
