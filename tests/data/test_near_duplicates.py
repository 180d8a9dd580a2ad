"""Pairs of perceptual hashes that differ in few bits."""

import numpy as np
import pytest

from cxrcore.data import near_duplicates
from cxrcore.data.near_duplicates import NEAR_BITS, near_pairs, near_pairs_between
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.progress import ignore_stages


def _text(bits):
    return np.packbits(bits.astype(bool), axis=1).tobytes().hex()


def _image(seed):
    """Return the bits of the whole image and of its crops, all different."""
    return np.random.default_rng(seed).integers(0, 2, (CROPS, BITS))


def _like(bits, differing):
    """Return an image with crops of its own whose whole differs from `bits`, (BITS,), in the first bits."""
    other = _image(99)
    other[0] = bits
    other[0, :differing] ^= 1
    return other


def test_whole_images_and_crops_of_either_set_are_compared():
    first, second = _image(1), _image(2)
    external = [_like(first[0], NEAR_BITS), _like(first[0], NEAR_BITS + 1), _like(second[7], 3), _image(3)]
    external[3][5] = first[0]
    texts = [_text(bits) for bits in external]
    found = near_pairs_between(texts, [_text(first), _text(second)], ignore_stages)
    assert found == {(0, 0): NEAR_BITS, (2, 1): 3, (3, 0): 0}
    wider = near_pairs_between(texts, [_text(first), _text(second)], ignore_stages, NEAR_BITS + 1)
    assert wider == found | {(1, 0): NEAR_BITS + 1}


def test_images_that_could_not_be_read_are_like_none():
    blank = _text(np.zeros((CROPS, BITS)))
    assert near_pairs([blank, blank, _text(_image(1))], ignore_stages) == []
    assert near_pairs_between([blank], [blank], ignore_stages) == {}
    assert near_pairs_between([], [blank], ignore_stages) == {}


@pytest.mark.parametrize("at_once", [1, 50, near_duplicates._AT_ONCE])
def test_no_pair_is_missed_however_many_are_compared_at_once(at_once, monkeypatch):
    monkeypatch.setattr(near_duplicates, "_AT_ONCE", at_once)
    monkeypatch.setattr(near_duplicates, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    hashes = np.repeat(rng.integers(0, 2, (5, 1, BITS)), 4, axis=0) ^ (rng.random((20, CROPS, BITS)) < 0.02)
    texts = [_text(bits) for bits in hashes]
    differing = (hashes[:, :, None] != hashes[None, None, :, 0]).sum(axis=-1)
    near = (differing <= NEAR_BITS).any(axis=1)
    expected = [(a, b) for a in range(20) for b in range(a + 1, 20) if near[a, b] or near[b, a]]
    done = []
    assert near_pairs(texts, lambda stage, count, total: done.append((count, total))) == expected
    assert done == [(7, 20), (14, 20), (20, 20)]
    assert list(near_pairs_between(texts[:8], texts[8:], ignore_stages)) == [
        (a, b - 8) for a, b in expected if a < 8 <= b
    ]
