"""A budget of memory that all threads share: an image is opened when its bytes fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

from cxrcore.data.errors import MAX_BYTES, ImageError


class MemoryBudget:
    """`total` bytes. A thread that asks for more than is free waits its turn; later ones wait behind it."""

    def __init__(self, total: int = MAX_BYTES):
        self.total = total
        self._free = total
        self._changed = Condition()
        self._turn = Lock()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Hold `size` bytes until the block ends. Raises `ImageError` if there are never that many."""
        if size > self.total:
            raise ImageError(
                "the image needs {size} MB of memory; at most {most} MB are used",
                size=size // 10**6,
                most=self.total // 10**6,
            )
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()
