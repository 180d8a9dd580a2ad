"""Training data as the head's trainable part takes them: pooled vectors, in memory where they fit, else in blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cxrcore.features.feature_maps import FeatureMaps
from cxrcore.features.keras_setup import tf

# Up to this size the vectors are loaded once and an epoch is one compiled call.
MEMORY_BYTES = 2**30
_LEAST_ROWS = 256


class FeatureVectors:
    """The stem's output for chosen rows of `maps`, with their labels as class indices, int32 (n,).

    With several `views`, `rows` holds that many blocks of n rows: the images, then their augmented copies.
    """

    def __init__(
        self,
        maps: FeatureMaps,
        rows: np.ndarray,
        labels: np.ndarray,
        stem: Any,
        batch_size: int = 1,
        memory: int = MEMORY_BYTES,
        views: int = 1,
    ) -> None:
        self._maps, self._rows, self._stem, self.views = maps, rows, stem, views
        self._labels = tf.constant(labels[rows], tf.int32)
        width = int(np.prod(stem.output_shape[1:]))
        fitting = max(_LEAST_ROWS, memory // (4 * width))
        self._block = max(batch_size, fitting - fitting % batch_size)  # no short batch in the middle of an epoch
        self._loaded = self._read(np.arange(len(rows))) if len(rows) <= self._block else None

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

        With everything in memory there is one block, and `order` is used as it is.
        """
        order = np.arange(len(self)) if order is None else order
        if self._loaded is not None:
            yield self._loaded, self._labels, tf.constant(order, tf.int32)
            return
        for start in range(0, len(order), self._block):
            part = order[start : start + self._block]
            yield self._read(part), tf.gather(self._labels, part), tf.range(len(part))

    def sample(self, most: int, seed: int) -> np.ndarray:
        """Return the vectors of at most `most` rows drawn at random, float32."""
        positions = np.arange(len(self))
        if len(self) > most:
            positions = np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False))
        return np.asarray(self._read(positions))

    def _read(self, positions: np.ndarray) -> Any:
        """Return the vectors at `positions`, pooled a few images at a time."""
        parts = [self._stem(self._maps.rows(chunk)) for chunk in self._maps.chunks(self._rows[positions])]
        return tf.concat(parts, axis=0)
