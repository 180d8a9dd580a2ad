"""The most similar training images of an image whose features are kept."""

from dataclasses import replace

import numpy as np
import pytest

from cxrcore.features.store import Store
from cxrcore.inference import similar_images


@pytest.fixture
def run(made):
    """The run of 10 classes, with features of its images 0, 1 and 2 along three axes."""
    run = made[10]
    similar_images.save(run.folder / similar_images.FILE, np.arange(3), np.eye(3))
    return run


def _keep(run, sha256, maps, **changes):
    key = replace(run.config.key(run.info.weights_digest), **changes)
    Store(key).add([sha256], np.asarray(maps, np.float32))


def test_nearest_of_a_kept_map(run):
    """The mean over the map is (0, 3, 4), of length 5."""
    table = run.table
    _keep(run, table["sha256"][7], [[[[0, 2, 8], [0, 4, 0]]]])
    found = similar_images.nearest_to_kept(run, table["sha256"][7], count=2)
    assert found["path"].tolist() == table["path"][[2, 1]].tolist()
    assert found["similarity"].tolist() == pytest.approx([0.8, 0.6], abs=1e-3)


def test_image_itself_is_left_out(run):
    sha256 = run.table["sha256"][1]
    _keep(run, sha256, [[[[0, 1, 0.5]]]])
    assert similar_images.nearest_to_kept(run, sha256, count=1)["path"].tolist() == [run.table["path"][2]]


def test_pooled_values_and_squares_of_the_last_tap(run):
    sha256 = run.table["sha256"][7]
    _keep(run, sha256, [[[[3, 0, 4, 9, 0, 16]]]], pooled=True)
    found = similar_images.nearest_to_kept(run, sha256, count=2)
    assert found["similarity"].tolist() == pytest.approx([0.8, 0.6], abs=1e-3)


def test_none_where_nothing_is_kept(run):
    sha256 = run.table["sha256"][7]
    assert similar_images.nearest_to_kept(run, sha256) is None
    _keep(run, sha256, [[[[1, 2]]]])
    assert similar_images.nearest_to_kept(run, sha256) is None, "features of another length"
    (run.folder / similar_images.FILE).unlink()
    assert similar_images.nearest_to_kept(run, sha256) is None
