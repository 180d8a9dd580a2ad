"""What is known of a folder, looked up again when it may have changed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from cxrcore import files

SECONDS = 1.0  # in which the change of another process is seen; one of this process is seen at once
_FoundT = TypeVar("_FoundT")


@dataclass(frozen=True)
class _Look(Generic[_FoundT]):
    """What was found in a folder, after which change of this process, and when (seconds of `time.monotonic`)."""

    folder: Path
    change: int
    every_file: bool
    started: float
    ended: float
    found: _FoundT

    def is_of(self, folder: Path, change: int) -> bool:
        """Tell whether it was this folder, and nothing was changed by this process since."""
        return (self.folder, self.change) == (folder, change)

    def is_new(self) -> bool:
        """Tell whether `SECONDS` have not passed, more where looking takes long: under load it gives up the
        interpreter's lock at every file, and each time waits for the others.
        """
        return time.monotonic() < self.ended + SECONDS * (1 + 4 * (self.ended - self.started))


class Watched(Generic[_FoundT]):
    """What a function finds in a folder, which one thread at a time looks up.

    The function is given the folder, and whether it must look at every file: else at what atomic writes change.
    """

    def __init__(self, look: Callable[[Path, bool], _FoundT]) -> None:
        self._look, self._lock = look, Lock()
        self._last: _Look[_FoundT] | None = None

    def get(self, folder: Path, now: bool = False) -> _FoundT:
        """Return what is found in the folder, or was found about `SECONDS` ago; `now` looks at every file again.

        While another thread looks again after this time, what was found before is returned.
        """
        asked, change = time.monotonic(), files.changes()
        last = self._last
        if last and last.is_of(folder, change) and not now and (last.is_new() or (SECONDS and self._lock.locked())):
            return last.found
        with self._lock:
            last = self._last  # of another thread, while this one waited
            is_later = last is not None and last.started >= asked and last.every_file >= now
            if last and last.is_of(folder, change) and (is_later or (not now and last.is_new())):
                return last.found
            started, every_file = time.monotonic(), now or not SECONDS
            found = self._look(folder, every_file)
            self._last = _Look(folder, change, every_file, started, time.monotonic(), found)
            return found
