"""Images that are copies of others, rescaled, compressed again or cropped, found by their perceptual hashes.

Hashes that differ in at most d bits are equal in at least one of any d + 1 groups of bits that make up the hash. So
only pairs that share a group are compared bit by bit, and none is missed (Norouzi et al. 2012, "Fast search in Hamming
space with multi-index hashing", there with fewer and larger groups). X-rays are alike: the pairs that share a group
grow with the square of the number of images. Where they are many, only pairs that share two of any d + 2 groups are
compared, by which none is missed either.

Where more than `_MOST_ALIKE` images share a key, an image is compared with the first of them alone, so that the number
of comparisons grows with the number of images. A pair is then missed if every key that it shares is one of so many
images and neither is among the first. Images that are alike in all keys, as copies are, are still connected by the
first of them.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from cxrcore.data.perceptual_hashes import BITS
from cxrcore.i18n import N_
from cxrcore.progress import StageProgress

STAGE = {"comparing": N_("Comparing images")}
# Of 256 bits. Copies at half size, at JPEG quality 50 or without a twentieth of a side differ by up to 10 in 99 of 100;
# the nearest two of 2,000 phantoms differ by 12, two different patients of the real sets by 40 and more.
NEAR_BITS = 10
_MOST_ALIKE = 200  # images that share a key
_BLOCK = 10_000  # images that are looked up together
_UNPACKED = 25_000  # hashes whose bits are held at once, in 25 MB
_AT_ONCE = 2_000_000  # pairs that are compared bit by bit together, in 200 MB


def near_pairs(hashes: np.ndarray, progress: StageProgress) -> np.ndarray:
    """Return the pairs (a, b), a < b, of one set where a whole image looks like the other or like a crop of it.

    They are int64 (pairs, 2), sorted.

    Args:
        hashes: uint8 (n, CROPS, BITS / 8), see `image_statistics.packed`; zeros, of an image that could not be read,
            are like none.
        progress: called with the stage `comparing`, images done and images in all.
    """
    rows = _not_blank(hashes)
    whole, found = _WholeImages(hashes[rows, 0], NEAR_BITS), [np.empty(0, np.int64)]
    for done, block in _blocks(rows):
        for a, b, _ in whole.near(hashes[block]):
            first, second = block[a], rows[b]
            pairs = np.minimum(first, second) * len(hashes) + np.maximum(first, second)
            found.append(np.unique(pairs[first != second]))
            if sum(map(len, found[1:])) > _AT_ONCE:  # a pair comes again at each key that it shares
                found = [np.unique(np.concatenate(found))]
        progress("comparing", done, len(rows))
    return np.stack(np.divmod(np.unique(np.concatenate(found)), max(len(hashes), 1)), axis=1)


def near_pairs_between(
    first: np.ndarray, second: np.ndarray, progress: StageProgress, most: int = NEAR_BITS
) -> dict[tuple[int, int], int]:
    """Return the same pairs (a, b) with a image of `first` and b of `second`, sorted, each with the bits that differ.

    Args:
        first: hashes of a set, as for `near_pairs`.
        second: hashes of another set.
        progress: as for `near_pairs`.
        most: the bits in which a pair differs at most.
    """
    hashes = first, second
    rows = tuple(_not_blank(packed) for packed in hashes)
    count, before, found = sum(map(len, rows)), 0, dict[tuple[int, int], int]()
    for this, other in ((0, 1), (1, 0)):  # the crops of this set against the whole images of the other
        whole = _WholeImages(hashes[other][rows[other], 0], most)
        for done, block in _blocks(rows[this]):
            for a, b, distance in whole.near(hashes[this][block]):
                pair = block[a].tolist(), rows[other][b].tolist()
                for key, bits_ in zip(zip(pair[this], pair[other], strict=True), distance.tolist(), strict=True):
                    found[key] = min(bits_, found.get(key, BITS))
            progress("comparing", before + done, count)
        before += len(rows[this])
    return dict(sorted(found.items()))


class _WholeImages:
    """The hashes of whole images, looked up by their keys."""

    def __init__(self, hashes: np.ndarray, most: int) -> None:
        """Take uint8 (n, BITS / 8), and in how many bits a near hash differs at most."""
        self.hashes, self.most = hashes, most
        joined = _joined(hashes, most)
        self.groups = most + joined
        self.keys = list(combinations(range(self.groups), joined))
        self.values = _values(hashes, self.groups)

    def near(self, packed: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield indices and bits (a, b, d), each (k,): a hash of `packed[a]`, uint8 (m, CROPS, BITS / 8), is near b's.

        A pair can come more than once.
        """
        if not len(self.hashes):
            return
        crops = packed.shape[1]
        queries = packed.reshape(-1, packed.shape[2])
        values = _values(queries, self.groups)
        for groups in self.keys:
            own, keys = _key(self.values, groups), _key(values, groups)
            order = np.argsort(own, kind="stable")
            own = own[order]
            start = np.searchsorted(own, keys)
            some = np.flatnonzero(own[np.minimum(start, len(own) - 1)] == keys)
            counts = np.zeros_like(start)
            counts[some] = np.minimum(np.searchsorted(own, keys[some], "right") - start[some], _MOST_ALIKE)
            for piece in _at_most(counts):
                a, b = _ranges(piece, start[piece], start[piece] + counts[piece])
                candidates = order[b]
                distance = _distance(queries[a], self.hashes[candidates])
                near = distance <= self.most
                yield a[near] // crops, candidates[near], distance[near]


def _not_blank(packed: np.ndarray) -> np.ndarray:
    """Return the rows whose whole image has a hash: that of an image of one brightness has no bit."""
    return np.flatnonzero(packed[:, 0].any(axis=1))


def _blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rows in blocks, each with the number of rows up to its end."""
    for start in range(0, len(rows), _BLOCK):
        yield min(start + _BLOCK, len(rows)), rows[start : start + _BLOCK]


def _joined(hashes: np.ndarray, most: int) -> int:
    """Return of how many groups a key of `hashes`, uint8 (n, BITS / 8), is made: one, unless an image shares its groups
    with more images than there are keys of two groups.
    """
    values = _values(hashes, most + 1)
    sharing = sum(int((np.unique(each, return_counts=True)[1] ** 2).sum()) for each in values)
    return 2 if sharing > math.comb(most + 2, 2) * len(hashes) else 1


def _values(hashes: np.ndarray, groups: int) -> np.ndarray:
    """Return the values of the groups, int32 (groups, n); bit k is in group k % groups.

    Neighbouring bits are alike in X-rays, so each group takes bits from everywhere. Of 11 groups and more, each has at
    most 24 bits, whose values float32 holds exactly.
    """
    place = np.arange(BITS)
    weights = np.zeros((BITS, groups), np.float32)
    weights[place, place % groups] = 2.0 ** (place // groups)
    found = np.empty((groups, len(hashes)), np.int32)
    for start in range(0, len(hashes), _UNPACKED):
        some = slice(start, start + _UNPACKED)
        found[:, some] = (np.unpackbits(hashes[some], axis=1).astype(np.float32) @ weights).T
    return found


def _key(values: np.ndarray, groups: Sequence[int]) -> np.ndarray:
    """Return the values of one group or of two groups as one number, int64 (n,)."""
    key: np.ndarray = values[groups[0]].astype(np.int64)
    return key if len(groups) == 1 else (key << 24) + values[groups[1]]


def _at_most(counts: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the indices of positive counts in pieces of which each sums to about `_AT_ONCE`."""
    rows = np.flatnonzero(counts)
    piece = np.cumsum(counts[rows]) // _AT_ONCE
    yield from np.split(rows, np.flatnonzero(np.diff(piece)) + 1)


def _ranges(values: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each value with every number from its `start` up to its `end`."""
    counts = end - start
    first = np.repeat(start - (np.cumsum(counts) - counts), counts)
    return np.repeat(values, counts), first + np.arange(len(first))


def _distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return in how many bits the rows of two arrays, uint8 (n, BITS / 8), differ."""
    differing = first.view(np.uint64) ^ second.view(np.uint64)
    return np.asarray(np.bitwise_count(differing).sum(axis=1))
