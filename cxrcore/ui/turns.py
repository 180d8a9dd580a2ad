"""Few page runs at a time: those of visitors who come at once end one after the other, not all of them late."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

_AT_ONCE = 4  # page runs; one interpreter lock serves all
_LONGEST = 0.25  # seconds after which a page run counts no more: it waits for a process, or computes


class Turns:
    """Lets `at_once` threads go on; one that takes longer than `longest` seconds is not waited for."""

    def __init__(self, at_once: int = _AT_ONCE, longest: float = _LONGEST) -> None:
        self._at_once, self._longest = at_once, longest
        self._changed = Condition()
        self._until: dict[object, float] = {}  # when each turn counts no more

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it within the block."""
        token = object()
        with self._changed:
            while (left := self._left()) > 0:
                self._changed.wait(left)
            self._until[token] = time.monotonic() + self._longest
        try:
            yield
        finally:
            with self._changed:
                del self._until[token]
                self._changed.notify()

    def _left(self) -> float:
        """Return the seconds until a turn is free, 0 or less if one is."""
        until = sorted(self._until.values())
        return until[-self._at_once] - time.monotonic() if len(until) >= self._at_once else 0.0


PAGES = Turns()
