"""Zones of the lungs, and the share of a heatmap in each."""

import numpy as np
import pytest

from cxrcore.explain import lung_zones
from cxrcore.features.lung_segmenter import SIZE, Lungs


@pytest.fixture
def lungs():
    """Two rectangles: the right lung on rows 10 to 99, the left one on rows 40 to 69."""
    right, left = np.zeros((2, SIZE, SIZE), bool)
    right[10:100, 10:50] = True
    left[40:70, 80:120] = True
    return Lungs(right, left, confidence=1.0, refused="")


def test_zones_are_thirds_of_each_lung(lungs):
    found = lung_zones.masks(lungs)
    assert list(found) == [*lung_zones.RIGHT, *lung_zones.LEFT]
    rows = {name: np.flatnonzero(mask.any(axis=1)) for name, mask in found.items()}
    assert [(r[0], r[-1]) for r in rows.values()] == [(10, 39), (40, 69), (70, 99), (40, 49), (50, 59), (60, 69)]
    assert sum(mask.sum() for mask in found.values()) == lungs.mask.sum()


def test_shares_of_a_heatmap(lungs):
    """Half in the right upper zone, a quarter in the left lower zone, a quarter in a corner."""
    heatmap = np.zeros((SIZE, SIZE), np.float32)
    heatmap[12:22, 12:22], heatmap[61:66, 85:95], heatmap[120:125, 0:10] = 1, 1, 1
    found = lung_zones.shares(heatmap, lungs)
    assert found.zones["right upper zone"] == pytest.approx(0.5) and found.outside == pytest.approx(0.25)
    assert found.zones["left lower zone"] == pytest.approx(0.25) and sum(found.zones.values()) == pytest.approx(0.75)
    assert lung_zones.shares(np.zeros((4, 4), np.float32), lungs) is None


def test_height_that_is_no_multiple_of_three(lungs):
    """Ten rows: zones of 4, 3 and 3."""
    right = np.zeros((SIZE, SIZE), bool)
    right[20:30, 10:20] = True
    found = lung_zones.masks(Lungs(right, lungs.left, confidence=1.0, refused=""))
    assert [int(found[name].any(axis=1).sum()) for name in lung_zones.RIGHT] == [4, 3, 3]
