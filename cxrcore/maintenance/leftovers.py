"""Files that an interrupted write, import or extraction left behind."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cxrcore import settings
from cxrcore.files import parse_json
from cxrcore.runs.registry import PREPARED

# A file that was written more recently may be of a write that has not ended: a table of measurements is written after
# each 5,000 images.
SETTLED_SECONDS = 3600
_PREPARED_SWEEP = re.compile(r"\..+\.[0-9a-f]{8}")  # see `sweep.create`
_TEMPORARY = re.compile(r"\.[0-9a-f]{8}(\.\w+)?")  # see `files.atomic_path`


def temporary() -> list[Path]:
    """Return the temporary files of atomic writes, and the folders of runs and sweeps that were never created."""
    home, features = settings.home(), settings.features_folder()
    roots = [home] if features.is_relative_to(home) else [home, features]
    hidden = (path for root in roots for path in root.rglob(".*"))
    found = [path for path in hidden if _TEMPORARY.fullmatch(path.name) and path.is_file()]
    found += settings.runs_folder().glob(f"{PREPARED}*")
    found += [path for path in (settings.home() / "sweeps").glob(".*") if _PREPARED_SWEEP.fullmatch(path.name)]
    return [path for path in found if _is_settled(path)]


def shards() -> list[Path]:
    """Return the files of cached features that cannot be used: without an index, or that do not fit it."""
    found: list[Path] = []
    for path in settings.features_folder().glob("[!.]*/[!.]*.npy"):
        index = path.with_suffix(".index")
        if not _fits(path, index) and all(_is_settled(file) for file in (path, index) if file.exists()):
            found += [file for file in (index, path) if file.exists()]
    for index in settings.features_folder().glob("[!.]*/[!.]*.index"):
        if not index.with_suffix(".npy").exists() and _is_settled(index):
            found.append(index)
    return found


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files: Iterator[Path] = path.rglob("*") if path.is_dir() else iter([path])
    return sum(file.lstat().st_size for file in files if file.is_file() or file.is_symlink())


def _fits(shard: Path, index: Path) -> bool:
    try:
        names = parse_json(index.read_text())
        return isinstance(names, list) and len(np.load(shard, mmap_mode="r")) == len(names)
    except (FileNotFoundError, ValueError, EOFError, TypeError):
        return False
    except OSError:  # of a permission or the disk, which tells nothing about the content
        return True


def _is_settled(path: Path) -> bool:
    try:
        return abs(time.time() - path.lstat().st_mtime) > SETTLED_SECONDS  # one of the future: the clock was set back
    except FileNotFoundError:
        return False
