"""Whether two pictures show the same."""

import cv2
import numpy as np
from PIL import Image

from cxrcore.data import registration
from cxrcore.data.phantom.images import generate, specs


def test_cropped_or_brighter_copies_show_the_same_and_other_patients_do_not(save):
    first, other = (generate(spec, 1).image for spec in list(specs(2, 1))[:2])
    height, width = first.shape
    changed = {
        "cropped": first[round(0.02 * height) : -3, round(0.02 * width) :],
        "gamma": (255 * (first / 255) ** 0.6).astype(np.uint8),
        "turned": cv2.warpAffine(first, cv2.getRotationMatrix2D((width / 2, height / 2), 2, 1), (width, height)),
        "other": other,
        "inverted": 255 - first,
        "blank": np.full_like(first, 90),
    }
    original = str(save("original.png", first))
    pairs = [(original, str(save(f"{name}.png", pixels))) for name, pixels in changed.items()]
    done = []
    found = registration.are_same([*pairs, (original, "missing.png")], lambda *count: done.append(count))
    assert found == [True, True, True, False, False, False, False]
    assert done[-1] == (7, 7)


def test_view_has_neither_brightness_nor_contrast():
    pixels = np.random.default_rng(0).integers(60, 160, (192, 192)).astype(np.uint8)
    view, brighter = (registration.view_of(Image.fromarray(image)) for image in (pixels, pixels + 90))
    assert np.abs(view - brighter).max() < 1e-4
