"""Passes of a few images give every image's answer once, in order."""

import numpy as np
import pytest

from cxrcore.features.predict import AT_ONCE, IMAGES, forward, stream


class _Mean:
    """A model whose answer is the mean of each image; it remembers how many images each pass had."""

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
def test_each_image_has_its_own_answer_and_padding_has_none(count):
    model = _Mean()
    found = forward(model, _numbered(0, count))
    np.testing.assert_array_equal(found, np.repeat(np.arange(count)[:, None], 3, axis=1))
    assert set(model.passes) == {IMAGES}  # another shape would be compiled anew


def test_a_model_says_how_many_images_it_takes():
    model = _Mean(images=2)
    assert forward(model, _numbered(0, 5))[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert model.passes == [2, 2, 2]


def test_a_stream_answers_batch_by_batch_in_order():
    answers = list(stream(_Mean(), [_numbered(0, 8), _numbered(8, 8), _numbered(16, 3)]))
    assert [len(answer) for answer in answers] == [8, 8, 3]
    assert np.concatenate(answers)[:, 0].tolist() == list(range(19))


def test_the_next_batch_is_begun_before_an_answer_is_waited_for():
    taken = []

    def batches():
        for start in (0, 8, 16):
            taken.append(start)
            yield _numbered(start, 8)

    answers = stream(_Mean(), batches())
    next(answers)
    assert taken == [0, 8]


def test_after_a_pass_that_fails_nothing_is_answered():
    """The answers of the batch after it would be taken for its own."""

    class Failing(_Mean):
        def predict_on_batch(self, pixels):
            if pixels[0].mean() < 4:
                raise MemoryError("no room")
            return super().predict_on_batch(pixels)

    answers = []
    with pytest.raises(MemoryError):
        for answer in stream(Failing(), [_numbered(0, 4), _numbered(4, 4), _numbered(8, 4)]):
            answers.append(answer)
    assert not answers


def test_what_was_begun_before_an_interruption_is_answered_before_it_is_passed_on():
    def batches():
        yield _numbered(0, 4)
        yield _numbered(4, 4)
        raise ValueError("stopped")

    answers = []
    with pytest.raises(ValueError, match="stopped"):
        for answer in stream(_Mean(), batches()):
            answers += answer[:, 0].tolist()
    assert answers == list(range(8))
