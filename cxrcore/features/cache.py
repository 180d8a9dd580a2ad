"""The limit of the cached features: the least recently used are deleted first, and nothing that is in use."""

import os
import platform
import shutil
import time
import weakref
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from filelock import FileLock

from cxrcore import settings
from cxrcore.process import process_id

_USED = ".used"
# How long a folder counts as in use by a process of another machine, which cannot be looked at from this one.
_ELSEWHERE_SECONDS = 7 * 24 * 3600


def use(folder: Path, owner: Any) -> None:
    """Mark a folder as used now, and as in use by this process as long as `owner` lives."""
    if settings.read_only():
        return
    marker = folder / f".{os.getpid()}-{_started(os.getpid())}-{uuid4().hex[:8]}.using"
    with _lock():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _USED).touch()
        marker.write_text(platform.node())
    weakref.finalize(owner, marker.unlink, missing_ok=True)


def make_room(current: Path) -> None:
    """Delete whole folders, the least recently used first, until what is kept fits into CXR_CACHE_GB.

    The folder that is being written, and those in use by a living process, are kept, even where they exceed the limit.
    """
    with _lock():
        sizes = {folder: _size(folder) for folder in settings.features_folder().glob("[!.]*") if folder.is_dir()}
        over = sum(sizes.values()) - settings.cache_bytes()
        for folder in sorted(sizes, key=_last_used):
            if over > 0 and folder != current and not _in_use(folder):
                shutil.rmtree(folder, ignore_errors=True)
                over -= sizes[folder]


def delete(folder: Path) -> None:
    """Delete a folder of features, unless a living process reads from it."""
    with _lock():
        if not _in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _lock() -> FileLock:
    """Return the lock under which folders are marked, looked through and deleted by one process at a time."""
    settings.features_folder().mkdir(parents=True, exist_ok=True)
    return FileLock(settings.features_folder() / ".lock")


def _size(folder: Path) -> int:
    """Return the bytes of a folder's files; what another process deletes meanwhile is not counted."""
    return sum(int(_stat(path, "st_size")) for path in folder.glob("[!.]*"))


def _last_used(folder: Path) -> float:
    return max(_stat(folder / _USED, "st_mtime"), _stat(folder, "st_mtime") if not (folder / _USED).exists() else 0)


def _stat(path: Path, name: str) -> float:
    """Return a number of a file's status, 0 for a file that does not exist (any more)."""
    try:
        return float(getattr(path.stat(), name))
    except FileNotFoundError:
        return 0.0


def _in_use(folder: Path) -> bool:
    """Tell whether a living process reads from the folder; the marker of a dead one is removed."""
    used = False
    for marker in folder.glob(".*.using"):
        alive = _alive(marker)
        used |= alive
        if not alive:
            marker.unlink(missing_ok=True)
    return used


def _alive(marker: Path) -> bool:
    """Tell whether the process of a marker lives, as far as it can be known."""
    try:
        machine = marker.read_text()
    except FileNotFoundError:
        return False
    if machine not in ("", platform.node()):
        return time.time() - _stat(marker, "st_mtime") < _ELSEWHERE_SECONDS
    number, started = marker.name[1:].split("-")[:2]
    return _started(int(number)) == int(started)


def _started(number: int) -> int:
    """Return when a process started, see `process_id`, -1 for one that is no more: numbers are used again."""
    try:
        return int(process_id(number).pid_started)
    except psutil.NoSuchProcess:
        return -1
