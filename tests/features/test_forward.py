"""Passes of a few images give every image's answer once, in order."""

import numpy as np
import pytest

from cxrcore.features.forward import AT_ONCE, IMAGES, forward


class _Mean:
    """A model whose answer is the mean of each image; it remembers how many images each pass had."""

    def __init__(self):
        self.passes = []

    def predict_on_batch(self, pixels):
        self.passes.append(len(pixels))
        return pixels.mean(axis=(1, 2))


@pytest.mark.parametrize("count", [1, IMAGES, IMAGES + 1, 3 * IMAGES * AT_ONCE - 1])
def test_each_image_has_its_own_answer_and_padding_has_none(count):
    pixels = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)
    model = _Mean()
    found = forward(model, pixels)
    np.testing.assert_array_equal(found, np.repeat(np.arange(count)[:, None], 3, axis=1))
    assert set(model.passes) == {IMAGES}  # another shape would be compiled anew
