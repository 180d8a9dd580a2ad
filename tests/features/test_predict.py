"""Passes of a few images give the output of every image once, in order."""

import numpy as np
import pytest

from cxrcore.features.predict import AT_ONCE, IMAGES, predict, predict_stream


class _Mean:
    """A model that returns the mean of each image and records how many images each pass had."""

    def __init__(self, images=None):
        self.passes = []
        if images:
            self.images = images

    def predict_on_batch(self, pixels):
        self.passes.append(len(pixels))
        return pixels.mean(axis=(1, 2))


def _numbered(start, count):
    return np.arange(start, start + count, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3), np.float32)


@pytest.mark.parametrize("count", [1, IMAGES, IMAGES + 1, 3 * IMAGES * AT_ONCE - 1])
def test_each_image_has_its_own_output_and_padding_has_none(count):
    model = _Mean()
    found = predict(model, _numbered(0, count))
    np.testing.assert_array_equal(found, np.repeat(np.arange(count)[:, None], 3, axis=1))
    assert set(model.passes) == {IMAGES}  # another shape would be compiled again


def test_passes_have_the_size_of_the_model():
    model = _Mean(images=2)
    assert predict(model, _numbered(0, 5))[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert model.passes == [2, 2, 2]


def test_stream_is_in_the_order_of_the_batches():
    outputs = list(predict_stream(_Mean(), [_numbered(0, 8), _numbered(8, 8), _numbered(16, 3)]))
    assert [len(output) for output in outputs] == [8, 8, 3]
    assert np.concatenate(outputs)[:, 0].tolist() == list(range(19))


def test_next_batch_is_started_before_the_output_is_awaited():
    taken = []

    def batches():
        for start in (0, 8, 16):
            taken.append(start)
            yield _numbered(start, 8)

    outputs = predict_stream(_Mean(), batches())
    next(outputs)
    assert taken == [0, 8]


def test_nothing_is_yielded_after_a_pass_that_fails():
    """The outputs of the next batch would be taken for those of the failed one."""

    class Failing(_Mean):
        def predict_on_batch(self, pixels):
            if pixels[0].mean() < 4:
                raise MemoryError("no memory")
            return super().predict_on_batch(pixels)

    outputs = []
    with pytest.raises(MemoryError):
        for output in predict_stream(Failing(), [_numbered(0, 4), _numbered(4, 4), _numbered(8, 4)]):
            outputs.append(output)
    assert not outputs


def test_started_batches_are_yielded_before_an_exception_is_passed_on():
    def batches():
        yield _numbered(0, 4)
        yield _numbered(4, 4)
        raise ValueError("stopped")

    outputs = []
    with pytest.raises(ValueError, match="stopped"):
        for output in predict_stream(_Mean(), batches()):
            outputs += output[:, 0].tolist()
    assert outputs == list(range(8))
