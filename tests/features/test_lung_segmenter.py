"""The lung segmenter: on other phantoms than those of its training, on noise, and on real X-rays."""

import cv2
import numpy as np
import pytest

from cxrcore.data.images import load
from cxrcore.data.phantom.images import generate, specs
from cxrcore.features import lung_segmenter
from tests.conftest import SHARED


def test_lungs_of_phantoms():
    """Phantoms of the stream of datasets, not of the training: mean Dice 2 |A and B| / (|A| + |B|)."""
    drawn = [generate(spec, seed=11) for spec in specs(8, 1)]
    pixels = np.stack([np.repeat(phantom.image[..., None], 3, axis=-1) for phantom in drawn])
    masks, reasons = lung_segmenter.segment(pixels)
    truth = [
        cv2.resize(phantom.lungs, (lung_segmenter.SIZE, lung_segmenter.SIZE), interpolation=cv2.INTER_AREA) > 127
        for phantom in drawn
    ]
    dice = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in zip(masks, truth, strict=True)]
    assert np.mean(dice) > 0.95 and min(dice) > 0.9 and not any(reasons)


def test_images_without_a_chest_are_implausible():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 100, 120, 3), dtype=np.uint8)
    assert all(lung_segmenter.segment(noise)[1]) and all(lung_segmenter.segment(np.zeros((1, 50, 50, 3), np.uint8))[1])


def _drawn(*ellipses):
    mask = np.zeros((128, 128), np.uint8)
    for centre, axes in ellipses:
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    return mask.astype(bool)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (_drawn(((40, 64), (16, 36)), ((88, 64), (16, 36))), ""),
        (_drawn(((40, 64), (16, 36))), "two separate lungs were not found"),
        (_drawn(((40, 64), (7, 8)), ((88, 64), (7, 8))), "too small or too large"),
        (_drawn(((40, 64), (20, 40)), ((88, 64), (9, 16))), "much smaller"),
        (_drawn(((64, 30), (30, 14)), ((64, 98), (30, 14))), "side by side"),
    ],
)
def test_plausible_shapes(mask, reason):
    assert reason in lung_segmenter.implausible(mask, mask.astype(float)) and bool(reason) == bool(
        lung_segmenter.implausible(mask, mask.astype(float))
    )


def test_irregular_or_uncertain_outline_is_implausible():
    good = _drawn(((40, 64), (16, 36)), ((88, 64), (16, 36)))
    assert "uncertain" in lung_segmenter.implausible(good, np.where(good, 0.6, 0.0))
    ragged = good & (np.arange(128)[None] > 64)
    ragged[28:100, 20:28] = ragged[92:100, 20:58] = True  # an L: its hull is more than twice as large
    assert "irregular" in lung_segmenter.implausible(ragged, ragged.astype(float))


@pytest.mark.shared
def test_real_images_are_plausible_more_often_than_upside_down():
    """There are no reference outlines for these images."""
    files = sorted((SHARED / "data").rglob("*.jp*g"))[:40]
    pixels = np.stack([load(file, 128) for file in files])
    upright, turned = (
        sum(not reason for reason in lung_segmenter.segment(images)[1]) for images in (pixels, pixels[:, ::-1])
    )
    assert upright > len(files) / 3 and turned < upright / 2
