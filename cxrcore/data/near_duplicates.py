"""Images that are copies of others, rescaled, compressed again or cropped, found by their perceptual hashes.

Hashes that differ in at most d bits are equal in at least one of any d + 1 groups of bits that make up the hash. So
only pairs that share a group are compared bit by bit, and none is missed (Norouzi et al. 2012, "Fast search in Hamming
space with multi-index hashing", there with fewer and larger groups).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from cxrcore.data.image_statistics import bits
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.i18n import N_
from cxrcore.progress import StageProgress

STAGE = {"comparing": N_("Comparing images")}
# Of 256 bits. Copies at half size, at JPEG quality 50 or without a twentieth of a side differ by up to 10 in 99 of 100;
# the nearest two of 2,000 phantoms differ by 12, two different patients of the real sets by 40 and more.
NEAR_BITS = 10
_BLOCK = 1000  # images that are looked up together
_AT_ONCE = 2_000_000  # pairs that are compared bit by bit together, in 200 MB


def near_pairs(hashes: Sequence[str], progress: StageProgress) -> list[tuple[int, int]]:
    """Return the pairs (a, b), a < b, of one set where a whole image looks like the other or like a crop of it.

    Args:
        hashes: see `image_statistics.measure`; that of an image that could not be read is like none.
        progress: called with the stage `comparing`, images done and images in all.
    """
    packed = _packed(hashes)
    rows = _not_blank(packed)
    whole, found = _WholeImages(packed[rows, 0], NEAR_BITS), set[tuple[int, int]]()
    for done, block in _blocks(rows):
        for a, b, _ in whole.near(packed[block]):
            pairs = zip(block[a].tolist(), rows[b].tolist(), strict=True)
            found |= {(min(i, j), max(i, j)) for i, j in pairs if i != j}
        progress("comparing", done, len(rows))
    return sorted(found)


def near_pairs_between(
    first: Sequence[str], second: Sequence[str], progress: StageProgress, most: int = NEAR_BITS
) -> dict[tuple[int, int], int]:
    """Return the same pairs (a, b) with a image of `first` and b of `second`, sorted, each with the bits that differ.

    Args:
        first: hashes of a set.
        second: hashes of another set.
        progress: as for `near_pairs`.
        most: the bits in which a pair differs at most.
    """
    hashes = _packed(first), _packed(second)
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
    """The hashes of whole images, sorted by the value of each group of bits."""

    def __init__(self, hashes: np.ndarray, most: int) -> None:
        """Take uint8 (n, BITS / 8), and in how many bits a near hash differs at most."""
        self.hashes, self.most = hashes, most
        keys = _keys(hashes, most + 1)
        self.order = np.argsort(keys, axis=1)
        self.keys = np.take_along_axis(keys, self.order, axis=1)

    def near(self, packed: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield indices and bits (a, b, d), each (k,): a hash of `packed[a]`, uint8 (m, CROPS, BITS / 8), is near b's.

        A pair can come more than once.
        """
        crops = packed.shape[1]
        queries = packed.reshape(-1, packed.shape[2])
        for sorted_keys, order, keys in zip(self.keys, self.order, _keys(queries, self.most + 1), strict=True):
            start, end = (np.searchsorted(sorted_keys, keys, side) for side in ("left", "right"))
            for some in _at_most(end - start):
                a, b = _ranges(some, start[some], end[some])
                candidates = order[b]
                distance = _distance(queries[a], self.hashes[candidates])
                near = distance <= self.most
                yield a[near] // crops, candidates[near], distance[near]


def _packed(hashes: Sequence[str]) -> np.ndarray:
    return np.array([bits(text) for text in hashes], np.uint8).reshape(-1, CROPS, BITS // 8)


def _not_blank(packed: np.ndarray) -> np.ndarray:
    """Return the rows whose whole image has a hash: that of an image of one brightness has no bit."""
    return np.flatnonzero(packed[:, 0].any(axis=1))


def _blocks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the rows in blocks, each with the number of rows up to its end."""
    for start in range(0, len(rows), _BLOCK):
        yield min(start + _BLOCK, len(rows)), rows[start : start + _BLOCK]


def _keys(hashes: np.ndarray, groups: int) -> np.ndarray:
    """Return the values of the groups, float32 (groups, n); bit k is in group k % groups.

    Neighbouring bits are alike in X-rays, so each group takes bits from everywhere. Of 11 groups and more, each has at
    most 24 bits, whose values float32 holds exactly.
    """
    place = np.arange(BITS)
    weights = np.zeros((BITS, groups), np.float32)
    weights[place, place % groups] = 2.0 ** (place // groups)
    return np.asarray((np.unpackbits(hashes, axis=1).astype(np.float32) @ weights).T)


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
