"""What is known of a folder, looked up again when it may have changed."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from cxrcore import files

SECONDS = 1.0  # in which the change of another process is seen; one of this process is seen at once
_Found = TypeVar("_Found")


class Watched(Generic[_Found]):
    """What a function finds in a folder. Threads that ask while one looks wait for what it finds."""

    def __init__(self, look: Callable[[Path], _Found]) -> None:
        self._look, self._lock = look, Lock()
        self._found: tuple[Path, int, _Found] | None = None
        self._looked = 0.0

    def get(self, folder: Path, seconds: float | None = None) -> _Found:
        """Return what was found in the folder at most `seconds` ago (None: `SECONDS`), 0 for now."""
        asked, changes = time.monotonic(), files.changes()
        oldest = asked - (SECONDS if seconds is None else seconds)
        with self._lock:
            if self._found is None or self._found[:2] != (folder, changes) or self._looked < oldest:
                self._looked = time.monotonic()
                self._found = (folder, changes, self._look(folder))
            return self._found[2]
