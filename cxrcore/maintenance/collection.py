"""What may be deleted to free space: nothing that a run or a dataset needs, nor the checkpoints to continue from."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cxrcore import settings
from cxrcore.data import dataset, staging
from cxrcore.features import cache
from cxrcore.files import parse_json
from cxrcore.maintenance import leftovers
from cxrcore.messages import Message, msg
from cxrcore.runs.registry import SECONDS_IN_TRASH

_IDLE_SECONDS = 24 * 3600  # an import without a lock that was not written to for so long was interrupted


@dataclass(frozen=True)
class Unused:
    """A file or folder that may be deleted, its size in bytes, and why."""

    path: Path
    size: int
    reason: Message


def find(trash: bool = False) -> list[Unused]:
    """Return what may be deleted, the largest first; nothing is changed.

    `trash`: the runs that were moved to the trash within the last week as well, which could be restored.
    """
    found = [*_trash(trash), *_imports(), *_features(), *_leftovers()]
    return sorted(found, key=lambda unused: unused.size, reverse=True)


def delete(found: list[Unused]) -> None:
    """Delete these files and folders.

    Raises:
        UserError: nothing may be changed here.
    """
    settings.require_writable()
    for unused in found:
        if unused.path.parent == settings.features_folder():
            cache.delete(unused.path)
        elif unused.path.name.startswith(dataset.REPLACED):
            staging.remove_remains(unused.path)
        elif unused.path.is_dir():
            shutil.rmtree(unused.path, ignore_errors=True)
        else:
            unused.path.unlink(missing_ok=True)


def _unused(path: Path, reason: Message) -> Unused:
    return Unused(path, leftovers.size(path), reason)


def _trash(recent: bool) -> Iterator[Unused]:
    for path in (settings.runs_folder() / ".trash").glob("*"):
        if time.time() - path.lstat().st_mtime > SECONDS_IN_TRASH:
            yield _unused(path, msg("a run that was in the trash for a week"))
        elif recent:
            yield _unused(path, msg("a run in the trash"))


def _imports() -> Iterator[Unused]:
    for path in settings.datasets_folder().glob(f"{staging.IMPORTING}*"):
        if path.is_dir() and not _is_importing(path):
            yield _unused(path, msg("an interrupted import; the next one starts from the beginning"))
    for path in staging.remains():
        yield _unused(path, msg("what is left of a dataset that was replaced"))


def _is_importing(folder: Path) -> bool:
    lock = folder.with_suffix(".lock")
    if not lock.exists():
        return time.time() - folder.stat().st_mtime < _IDLE_SECONDS
    try:
        with FileLock(lock).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _features() -> Iterator[Unused]:
    """Yield the folders of features none of whose images is in a dataset any more."""
    if dataset.damaged() or staging.interrupted():  # their images may be those of the features
        return
    known = {sha for name in dataset.names() for sha in dataset.load(name).table["sha256"]}
    for folder in settings.features_folder().glob("[!.]*"):
        if folder.is_dir() and known.isdisjoint(_images(folder)):
            yield _unused(folder, msg("features of images that are in no dataset any more"))


def _images(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.glob("[!.]*.index"):
        try:
            found.update(parse_json(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
    return found


def _leftovers() -> Iterator[Unused]:
    for path in leftovers.temporary():
        yield _unused(path, msg("what an interrupted write left behind"))
    for path in leftovers.shards():
        yield _unused(path, msg("features that cannot be read"))
