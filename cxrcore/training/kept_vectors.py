"""Vectors of many images, read again and again: in memory where they fit, else in a temporary file."""

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from tempfile import TemporaryFile

import numpy as np

from cxrcore import settings
from cxrcore.files import disk_errors

MEMORY_BYTES = 2**28  # up to this size vectors stay in memory; 100,000 of 640 values do
_BLOCK_VALUES = 2**18  # of a block, which then stays in the cache of the processor


def row_blocks(count: int, width: int) -> Iterator[slice]:
    """Yield the rows of an array (count, width) in blocks of 1 MB of float32, in order."""
    size = max(1, _BLOCK_VALUES // max(1, width))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


class KeptVectors:
    """Arrays of n images, float32 (n, ...), in memory up to a number of bytes.

    What is larger lies in a file beside the cached features. It has no name, so that the system removes it as soon as
    this process has ended, however it ends.
    """

    def __init__(self, count: int, parts: Iterable[np.ndarray], memory: int = MEMORY_BYTES) -> None:
        """Take the vectors of `count` images, at least one, in parts.

        Raises:
            UserError: the disk is full.
        """
        remaining = iter(parts)
        first = next(remaining)
        self._shape: tuple[int, ...] = (count, *first.shape[1:])
        self._loaded: np.ndarray | None = None
        if 4 * math.prod(self._shape) <= memory:
            self._loaded = np.empty(self._shape, np.float32)
            done = 0
            for part in chain([first], remaining):
                self._loaded[done : done + len(part)] = part
                done += len(part)
            return
        folder = settings.features_folder()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this object
        with disk_errors(folder):
            for part in chain([first], remaining):
                self._file.write(np.ascontiguousarray(part, np.float32).data)
            self._file.flush()

    def __len__(self) -> int:
        return self._shape[0]

    def __getitem__(self, chosen: slice | np.ndarray) -> np.ndarray:
        """Return the vectors of a slice or of row numbers, fastest where these ascend, float32 (m, ...)."""
        if self._loaded is not None:
            return self._loaded[chosen]
        # Read and not mapped into memory: pages of a map count as memory of the process, much around each row.
        rows = np.arange(len(self))[chosen]
        found = np.empty((len(rows), *self._shape[1:]), np.float32)
        ends = np.flatnonzero(np.diff(rows, append=-1) != 1) + 1
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            self._file.seek(int(rows[start]) * found[0].nbytes)
            self._file.readinto(found[start:end].data.cast("B"))
        return found

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield all vectors in order, see `row_blocks`."""
        return (self[rows] for rows in row_blocks(len(self), math.prod(self._shape[1:])))
