"""Pairs of perceptual hashes that differ in few bits."""

import numpy as np
import pytest

from cxrcore.audits.dataset import duplicates
from cxrcore.data import near_duplicates
from cxrcore.data.near_duplicates import NEAR_BITS, near_pairs, near_pairs_between
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.progress import ignore_stages


def _packed(*images):
    """Return the hashes of images, of which each is given as bits (CROPS, BITS)."""
    return np.packbits(np.reshape(images, (-1, CROPS, BITS)).astype(bool), axis=2)


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
    hashes, own = _packed(*external), _packed(first, second)
    found = near_pairs_between(hashes, own, ignore_stages)
    assert found == {(0, 0): NEAR_BITS, (2, 1): 3, (3, 0): 0}
    wider = near_pairs_between(hashes, own, ignore_stages, NEAR_BITS + 1)
    assert wider == found | {(1, 0): NEAR_BITS + 1}


def test_images_that_could_not_be_read_are_like_none():
    blank = np.zeros((CROPS, BITS))
    assert near_pairs(_packed(blank, blank, _image(1)), ignore_stages).shape == (0, 2)
    assert near_pairs_between(_packed(blank), _packed(blank), ignore_stages) == {}
    assert near_pairs_between(_packed(), _packed(blank), ignore_stages) == {}


@pytest.mark.parametrize("joined", [1, 2])
@pytest.mark.parametrize("at_once", [1, 50, near_duplicates._AT_ONCE])
def test_no_pair_is_missed_however_many_are_compared_at_once(at_once, joined, monkeypatch):
    monkeypatch.setattr(near_duplicates, "_AT_ONCE", at_once)
    monkeypatch.setattr(near_duplicates, "_joined", lambda hashes, most: joined)
    monkeypatch.setattr(near_duplicates, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    hashes = np.repeat(rng.integers(0, 2, (5, 1, BITS)), 4, axis=0) ^ (rng.random((20, CROPS, BITS)) < 0.02)
    differing = (hashes[:, :, None] != hashes[None, None, :, 0]).sum(axis=-1)
    near = (differing <= NEAR_BITS).any(axis=1)
    expected = [(a, b) for a in range(20) for b in range(a + 1, 20) if near[a, b] or near[b, a]]
    done = []
    packed = _packed(*hashes)
    assert near_pairs(packed, lambda stage, count, total: done.append((count, total))).tolist() == [
        *map(list, expected)
    ]
    assert done == [(7, 20), (14, 20), (20, 20)]
    assert list(near_pairs_between(packed[:8], packed[8:], ignore_stages)) == [
        (a, b - 8) for a, b in expected if a < 8 <= b
    ]


@pytest.mark.parametrize("count", [100, 200])
def test_comparisons_of_images_that_are_all_alike_grow_with_their_number(count, monkeypatch):
    """Each image is compared with the first 8 at each of the 66 keys: pairs of 12 groups of bits. All are connected."""
    compared = []
    distance = near_duplicates._distance
    monkeypatch.setattr(near_duplicates, "_distance", lambda a, b: compared.append(len(a)) or distance(a, b))
    monkeypatch.setattr(near_duplicates, "_MOST_ALIKE", 8)
    hashes = np.random.default_rng(0).integers(0, 256, (count, CROPS, BITS // 8), np.uint8)
    hashes[:, 0] = hashes[0, 0]
    pairs = near_pairs(hashes, ignore_stages)
    assert sum(compared) == count * 66 * 8
    assert pairs.tolist() == [[a, b] for a in range(8) for b in range(a + 1, count)]
    assert duplicates._groups(count, pairs) == [[*range(count)]]


@pytest.mark.parametrize(("others", "differing", "found"), [(7, 10, True), (8, 10, False), (8, 9, True)])
def test_pair_is_missed_only_where_many_share_all_its_keys(others, differing, found, monkeypatch):
    """Of 11 groups, the last two images differ in the first ones; the images before have the bits of the last group."""
    monkeypatch.setattr(near_duplicates, "_MOST_ALIKE", 8)
    hashes = np.random.default_rng(0).integers(0, 2, (others + 2, CROPS, BITS))
    last = np.arange(BITS) % 11 == 10
    hashes[:, 0, last] = hashes[-1, 0, last]
    hashes[-2] = _like(hashes[-1, 0], differing)
    monkeypatch.setattr(near_duplicates, "_joined", lambda hashes, most: 1)
    assert near_pairs(_packed(*hashes), ignore_stages).tolist() == [[others, others + 1]] * found


def test_alike_images_are_compared_less_often_by_two_groups_than_by_one(monkeypatch):
    """Of hashes with 96 bits at random and 160 equal ones, 9 bits differ in one of 11 groups, 16 in two of 12."""
    compared = []
    distance = near_duplicates._distance
    monkeypatch.setattr(near_duplicates, "_distance", lambda a, b: compared.append(len(a)) or distance(a, b))
    bits = np.zeros((300, CROPS, BITS), np.uint8)
    bits[:, 0, :96] = np.random.default_rng(0).integers(0, 2, (300, 96))
    hashes = np.packbits(bits, axis=2)
    hashes[:, 1:] = np.random.default_rng(1).integers(0, 256, hashes[:, 1:].shape, np.uint8)
    found = []
    for joined, keys in ((1, 11), (2, 66)):
        monkeypatch.setattr(near_duplicates, "_joined", lambda hashes, most, joined=joined: joined)
        compared.clear()
        assert near_pairs(hashes, ignore_stages).tolist() == []
        found.append(sum(compared) - 300 * keys)  # without those of an image with itself
    assert found[0] > 10 * found[1]


def test_keys_are_of_two_groups_where_many_images_share_one():
    """Images that are alike in 7 of 11 groups: each of 8 shares 56 groups, and 4 with itself, each of 9 as many as 67;
    there are 66 keys of two groups.
    """
    bits = np.random.default_rng(0).integers(0, 2, (9, BITS))
    bits[:, np.arange(BITS) % (NEAR_BITS + 1) < 7] = 1
    hashes = np.packbits(bits.astype(bool), axis=1)
    assert [near_duplicates._joined(hashes[:count], NEAR_BITS) for count in (8, 9)] == [1, 2]
