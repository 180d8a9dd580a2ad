"""Training data as the head's trainable part takes them: pooled vectors, in memory where they fit, else in blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cxrcore.features.feature_maps import FeatureMaps
from cxrcore.features.keras_setup import tf
from cxrcore.training.kept_vectors import MEMORY_BYTES, KeptVectors

_LEAST_ROWS = 256  # of a block
_RUN_BYTES = 4 * 2**20  # read at once from one place: enough for the speed of reading a file from end to end
_RUNS = 64  # of a block, at least: images of one class often follow each other


def _fit(rows: int, most: int) -> bool:
    """Tell whether so many vectors are kept in memory; a function, so that it can be measured what a file changes."""
    return rows <= most


class FeatureVectors:
    """The stem's output for chosen rows of `maps`, with their labels as class indices, int32 (n,).

    With several `views`, `rows` holds that many blocks of n rows: the images, then their augmented copies.
    """

    def __init__(
        self,
        maps: FeatureMaps,
        rows: np.ndarray,
        labels: np.ndarray,
        stem: Any = None,
        batch_size: int = 1,
        memory: int = MEMORY_BYTES,
        views: int = 1,
    ) -> None:
        """Compute all vectors once; without a `stem` they are the maps themselves, which are read where they lie.

        Vectors of more than `memory` bytes are trained on in blocks of about that size.
        """
        self._maps, self._rows, self.views = maps, rows, views
        self._labels = tf.constant(labels[rows], tf.int32)
        size = 4 * int(np.prod(stem.output_shape[1:] if stem else maps.map_shape))
        fitting = max(_LEAST_ROWS, memory // size)
        self._block = max(batch_size, fitting - fitting % batch_size)  # no short batch in the middle of an epoch
        self._run = max(1, min(_RUN_BYTES // size, self._block // _RUNS))
        self._loaded: Any = None
        self._kept: KeptVectors | None = None
        fits = _fit(len(rows), fitting)
        if stem or fits:
            parts = (np.asarray(stem(part) if stem else part) for part in map(maps.rows, maps.chunks(rows)))
            kept = KeptVectors(len(rows), parts, fitting * size if fits else 0)
            self._loaded, self._kept = (tf.constant(kept[:]), None) if fits else (None, kept)

    @property
    def labels(self) -> np.ndarray:
        """The class indices, int32 (n,)."""
        return np.asarray(self._labels)

    def __len__(self) -> int:
        return len(self._rows) // self.views

    @property
    def in_memory(self) -> bool:
        """Whether all vectors are in memory, so that an epoch is one call."""
        return self._loaded is not None

    def blocks(self, order: np.ndarray | None = None) -> Iterator[tuple[Any, Any, Any]]:
        """Yield (vectors, labels, order within the block); each row in `order` occurs once.

        With everything in memory there is one block, and `order` is used as it is. Else runs of neighbouring rows, in
        the order in which `order` first comes to each, are read until the block is full; within the block, rows are
        in the order of `order`.
        """
        order = np.arange(len(self)) if order is None else order
        if self._loaded is not None:
            yield self._loaded, self._labels, tf.constant(order, tf.int32)
            return
        _, first, run = np.unique(order // self._run, return_index=True, return_inverse=True)
        by_run = np.lexsort((order, first[run]))
        for start in range(0, len(order), self._block):
            chosen = order[np.sort(by_run[start : start + self._block])]
            rows = np.sort(chosen)  # as they lie in the file
            within = np.searchsorted(rows, chosen)
            yield tf.constant(self._read(rows)), tf.gather(self._labels, rows), tf.constant(within, tf.int32)

    def sample(self, most: int, seed: int) -> np.ndarray:
        """Return the vectors of at most `most` rows drawn at random, float32."""
        rows = np.arange(len(self))
        if len(self) > most:
            rows = np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False))
        return np.asarray(self._read(rows) if self._loaded is None else tf.gather(self._loaded, rows))

    def _read(self, rows: np.ndarray) -> np.ndarray:
        return self._maps.rows(self._rows[rows]) if self._kept is None else self._kept[rows]
