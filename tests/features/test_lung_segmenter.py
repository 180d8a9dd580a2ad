"""The lung segmenter: on other phantoms than those of its training, on noise, and on real X-rays."""

import cv2
import numpy as np
import pytest

from cxrcore.data.images import load, load_mask, open_rgb
from cxrcore.data.phantom.images import generate, specs
from cxrcore.features import lung_segmenter
from cxrcore.features.lung_files import enlarged
from tests.conftest import SHARED


def test_lungs_of_phantoms():
    """Phantoms of the stream of datasets, not of the training: mean Dice 2 |A and B| / (|A| + |B|)."""
    drawn = [generate(spec, seed=11) for spec in specs(8, 1)]
    pixels = np.stack([np.repeat(phantom.image[..., None], 3, axis=-1) for phantom in drawn])
    found = lung_segmenter.segment(pixels)
    dice = []
    for phantom, lungs in zip(drawn, found, strict=True):
        for truth, mask in ((phantom.left_lung, lungs.left), ((phantom.lungs > 0) & ~phantom.left_lung, lungs.right)):
            small = cv2.resize(truth.astype(np.float32), (lung_segmenter.SIZE,) * 2, interpolation=cv2.INTER_AREA) > 0.5
            dice.append(2 * (mask & small).sum() / (mask.sum() + small.sum()))
    assert np.mean(dice) > 0.92 and min(dice) > 0.87 and not any(lungs.refused for lungs in found)


def test_images_without_a_chest_are_implausible():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 100, 120, 3), dtype=np.uint8)
    black = np.zeros((1, 50, 50, 3), np.uint8)
    assert all(lungs.refused for lungs in [*lung_segmenter.segment(noise), *lung_segmenter.segment(black)])


def _drawn(centre, axes):
    mask = np.zeros((128, 128), np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    return mask.astype(bool)


GOOD = _drawn((40, 64), (16, 36)), _drawn((88, 64), (16, 36))


@pytest.mark.parametrize(
    ("right", "left", "reason"),
    [
        (*GOOD, ""),
        (GOOD[0], np.zeros((128, 128), bool), "two separate lungs were not found"),
        (_drawn((40, 64), (7, 8)), _drawn((88, 64), (7, 8)), "too small or too large"),
        (_drawn((40, 64), (20, 40)), _drawn((88, 64), (9, 16)), "much smaller"),
        (_drawn((64, 30), (30, 14)), _drawn((64, 98), (30, 14)), "side by side"),
    ],
)
def test_shapes_that_are_refused(right, left, reason):
    found = lung_segmenter.refusal(right, left, confidence=1.0)
    assert reason in found and bool(reason) == bool(found)


def test_irregular_or_uncertain_outline_is_refused():
    assert "uncertain" in lung_segmenter.refusal(*GOOD, confidence=lung_segmenter.LEAST_CONFIDENCE - 0.01)
    ragged = np.zeros((128, 128), bool)
    ragged[28:100, 20:28] = ragged[92:100, 20:58] = True  # an L: its hull is more than twice as large
    assert "irregular" in lung_segmenter.refusal(ragged, GOOD[1], confidence=1.0)


@pytest.mark.shared
def test_lungs_drawn_by_people():
    """Median Dice of every sixth of the 172 images; `benchmarks.lungs` measures all."""
    images = {path.stem: path for path in (SHARED / "data" / "covid-chestxray-dataset" / "images").iterdir()}
    dice = []
    for drawn in sorted((SHARED / "data" / "lung_masks").iterdir())[::6]:
        truth = load_mask(drawn)
        mask = enlarged(lung_segmenter.segment(np.asarray(open_rgb(images[drawn.stem]))[None])[0].mask, truth.shape)
        dice.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    assert np.median(dice) > 0.88 and np.quantile(dice, 0.1) > 0.8


@pytest.mark.shared
def test_real_images_are_plausible_more_often_than_upside_down():
    files = sorted((SHARED / "data").rglob("*.jp*g"))[:40]
    pixels = np.stack([load(file, 128) for file in files])
    upright, turned = (
        sum(not lungs.refused for lungs in lung_segmenter.segment(images)) for images in (pixels, pixels[:, ::-1])
    )
    assert upright > len(files) / 3 and turned < upright / 2
