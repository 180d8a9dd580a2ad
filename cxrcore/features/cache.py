"""The bound of the kept activations: what was not used for longest goes first, and nothing that is in use."""

import os
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from cxrcore import settings

_USED = ".used"


def use(folder: Path, owner: Any) -> None:
    """Mark a spec's folder as used now, and as in use by this process as long as `owner` lives."""
    if settings.read_only():
        return
    marker = folder / f".{os.getpid()}-{uuid4().hex[:8]}.using"
    (folder / _USED).touch()
    marker.touch()
    weakref.finalize(owner, marker.unlink, missing_ok=True)


def make_room(current: Path) -> None:
    """Delete whole folders, the longest unused first, until what is kept fits into CXR_CACHE_GB.

    The folder that is being written, and those in use by a living process, stay: so a single dataset may take more than
    the bound, and all else goes.
    """
    sizes = {folder: _size(folder) for folder in settings.features_folder().glob("[!.]*") if folder.is_dir()}
    over = sum(sizes.values()) - settings.cache_bytes()
    for folder in sorted(sizes, key=_last_used):
        if over <= 0:
            return
        if folder != current and not _in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)
            over -= sizes[folder]


def _size(folder: Path) -> int:
    return sum(entry.stat().st_size for entry in _files(folder))


def _files(folder: Path) -> Iterator[os.DirEntry]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.is_file() and not entry.name.endswith(".using"))


def _last_used(folder: Path) -> float:
    marker = folder / _USED
    return marker.stat().st_mtime if marker.exists() else folder.stat().st_mtime


def _in_use(folder: Path) -> bool:
    """Tell whether a living process reads from the folder; what a dead one left is removed."""
    used = False
    for marker in folder.glob(".*.using"):
        alive = psutil.pid_exists(int(marker.name[1:].split("-")[0]))
        used |= alive
        if not alive:
            marker.unlink(missing_ok=True)
    return used
