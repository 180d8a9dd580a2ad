"""Augmented views: within their ranges, and the same each time."""

import numpy as np
import pytest

from cxrcore.features.augmentation import AugmentationRanges, augmented

NONE = AugmentationRanges(0, 0, 0, 0)
IDS = ["0" * 64, "f" * 64, "a1" * 32]


def _images(size=32):
    return np.random.default_rng(0).integers(60, 180, (3, size, size, 3)).astype(np.uint8)


def test_ranges_of_zero_leave_images_unchanged():
    np.testing.assert_array_equal(augmented(_images(), IDS, 1, NONE), _images())


def test_view_depends_on_its_image_and_number_alone():
    ranges, images = AugmentationRanges(7, 0.05, 0.08, 0.15), _images()
    together = augmented(images, IDS, 2, ranges)
    np.testing.assert_array_equal(augmented(images[1:2], IDS[1:2], 2, ranges)[0], together[1])
    assert not np.array_equal(augmented(images, IDS, 1, ranges), together)
    same = np.stack([images[0]] * 2)
    one, other = augmented(same, IDS[:2], 1, ranges)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("number", range(1, 9))
def test_shift_moves_by_at_most_its_share(number):
    """A white dot on black, moved by at most a tenth of 100 pixels."""
    image = np.zeros((1, 100, 100, 3), np.uint8)
    image[0, 48:53, 48:53] = 255
    moved = augmented(image, IDS[:1], number, AugmentationRanges(0, 0.1, 0, 0))[0, :, :, 0].astype(float)
    centre = [(moved.sum(axis=axis) @ np.arange(100)) / moved.sum() for axis in (0, 1)]
    assert all(abs(value - 50) <= 10.1 for value in centre) and centre != pytest.approx([50, 50], abs=0.2)


def test_contrast_changes_around_the_mean():
    image = _images()[:1]
    found = augmented(image, IDS[:1], 1, AugmentationRanges(0, 0, 0, 0.5))[0].astype(float)
    mean = image[0].mean()
    gain = (found - mean).std() / (image[0] - mean).std()
    assert 0.5 <= gain <= 1.5 and gain != pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(found, mean + (image[0] - mean) * gain, atol=1)


def test_flip_mirrors_half_of_the_views():
    left = np.zeros((1, 40, 40, 3), np.uint8)
    left[0, :, :10] = 200
    sides = [
        augmented(left, IDS[:1], k, AugmentationRanges(0, 0, 0, 0, flip=True))[0, 20, 2, 0] > 100 for k in range(1, 41)
    ]
    assert 8 < sum(sides) < 32
    assert all(augmented(left, IDS[:1], k, NONE)[0, 20, 2, 0] > 100 for k in range(1, 41))
