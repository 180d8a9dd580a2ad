"""Maps of chosen images, wherever they come from: kept on disk, or computed from kept ones by a part of a backbone."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from cxrcore.features.predict import predict
from cxrcore.features.store import Activations


class FeatureMaps(Protocol):
    """Maps float32 (n, h, w, c), read in parts."""

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one map."""
        ...

    def chunks(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield `numbers` in parts that fit into memory."""
        ...

    def rows(self, numbers: Iterable[int]) -> np.ndarray:
        """Return the maps of these images in this order."""
        ...


class ComputedFeatureMaps:
    """Kept maps at a cut, passed on through the backbone's `upper` part with the weights it has when asked."""

    def __init__(self, kept: Activations, upper: Any) -> None:
        self._kept, self._upper = kept, upper
        self.chunks = kept.chunks

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one map."""
        height, width, channels = self._upper.output_shape[1:]
        return height, width, channels

    def rows(self, numbers: Iterable[int]) -> np.ndarray:
        """Return the maps of these images in this order, float32 (len(numbers), h, w, c)."""
        return predict(self._upper, self._kept.rows(numbers))
