"""What is known of all runs in this process: each folder is read once, and again when one of its files has changed."""

import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cxrcore import settings
from cxrcore.config.run_config import RunConfig
from cxrcore.errors import UnreadableFileError, UserError
from cxrcore.messages import Message, msg
from cxrcore.runs.models import RunCard, RunMetrics, RunStatus
from cxrcore.runs.run import Run
from cxrcore.watched import Watched

_SETTLED_SECONDS = 2.0  # a folder's time tells of later changes only if it is that old: its resolution is coarse
_FILES = {  # what lists of runs depend on
    "about.json", "card.json", "config.json", "metrics.json", "resampling.json", "resampling.parquet", "rounds.json",
    "rounds.parquet", "selection.json", "shown.json", "status.json", "verdict.json",
}  # fmt: skip
_State = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, eq=False)
class KnownRun:
    """A run folder when it was last read; the same object until one of its files changes, so results that depend on
    them alone can be kept by it. `problem` tells what is wrong with its JSON files; then some of them are None.
    """

    run: Run
    state: _State
    problem: Message | None = None
    status: RunStatus | None = None
    config: RunConfig | None = None
    card: RunCard | None = None
    metrics: RunMetrics | None = None

    @property
    def shown(self) -> bool:
        """Whether the run is shown where the dashboard is read-only."""
        return any(name == "shown.json" for name, *_ in self.state)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """`Run.settings`, which must not be changed."""
        return self.run.settings


class _Index:
    """The runs of one workspace."""

    def __init__(self) -> None:
        self._folder = Path()
        self._found: dict[str, tuple[KnownRun, int]] = {}  # with the folder's time, 0 if it may be the time of more
        self._listed: tuple[KnownRun, ...] = ()
        self.by_folder: dict[Path, KnownRun] = {}

    def look(self, folder: Path, every_file: bool) -> tuple[KnownRun, ...]:
        if folder != self._folder:
            self._folder, self._found = folder, {}
        try:
            names = sorted((e.name for e in os.scandir(folder) if e.name[0] != "." and _is_folder(e)), reverse=True)
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise UnreadableFileError(folder, error) from error
        found = {}
        for name in names:
            try:
                found[name] = _known(str(folder / name), self._found.get(name), every_file)
            except FileNotFoundError:  # moved to the trash meanwhile, or a file replaced
                if (folder / name).is_dir():
                    found[name] = _known(str(folder / name), None)
        self._found, listed = found, tuple(run for run, _ in found.values())
        if listed != self._listed:
            self._listed = listed
            self.by_folder = {known.run.folder: known for known in listed if known.problem is None}
        return self._listed


_INDEX = _Index()
_WATCHED = Watched(_INDEX.look)


def known(now: bool = False) -> tuple[KnownRun, ...]:
    """Return all run folders, newest first, as they were about `watched.SECONDS` ago, or as they are `now`.

    The same tuple is returned as long as nothing has changed. A file that another program has changed in place, which
    no atomic write does, is seen `now` only.

    Raises:
        UnreadableFileError: the folder of all runs cannot be read.
    """
    return _WATCHED.get(settings.runs_folder(), now)


def find(*runs: Run) -> list[KnownRun | None]:
    """Return what is known of each of these runs, None for one that cannot be opened or is not among the runs."""
    known()
    found = _INDEX.by_folder
    return [found.get(run.folder) for run in runs]


def read(folder: Path) -> KnownRun:
    """Return what is known of a folder, which may be elsewhere, as it is now."""
    return _known(str(folder), None)[0]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: what is known of it tells so
        return True


def _known(folder: str, before: tuple[KnownRun, int] | None, every_file: bool = True) -> tuple[KnownRun, int]:
    """Return a folder and its time: as before, if its files have not changed."""
    try:
        return _looked_through(folder, before, every_file)
    except FileNotFoundError:
        raise
    except OSError as error:  # no permission, a link to itself, a disk that fails
        problem = UnreadableFileError(Path(folder), error).message
        same = before and before[0].problem == problem
        return before[0] if before and same else KnownRun(Run(Path(folder)), (), problem), 0


def _looked_through(folder: str, before: tuple[KnownRun, int] | None, every_file: bool) -> tuple[KnownRun, int]:
    now, written = time.time_ns(), os.stat(folder).st_mtime_ns  # noqa: PTH116 - many, so without paths
    if not every_file and before and before[1] == written and not before[0].problem:
        return before
    same_names = [name for name, *_ in before[0].state] if before and before[1] == written else None
    state = _state(folder, same_names)
    settled = written if now - written > _SETTLED_SECONDS * 1e9 else 0
    if not before or before[0].state != state:
        return _read(Run(Path(folder)), state), settled
    known = before[0]
    if known.problem:  # which may be a permission, and those are not in the state
        again = _read(known.run, state)
        known = known if again.problem == known.problem else again
    return known, settled


def _state(folder: str, names: list[str] | None) -> _State:
    """Return the number, time and size of each of the files, in the order of their names; `names` if they are known."""
    if names is None:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name in _FILES)
    found = []
    for name in names:
        try:
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116
        except OSError:
            status = os.lstat(f"{folder}/{name}")  # a link to nothing, or to itself
        found.append((name, status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _read(run: Run, state: _State) -> KnownRun:
    try:
        status, config, card, _ = run.status, run.config, run.card, run.resampling
        if metrics := run.metrics:
            _ = run.info
        return KnownRun(run, state, None, status, config, card, metrics)
    except FileNotFoundError as error:
        problem = msg("{file} is missing.", file=Path(str(error.filename)).name)
    except UserError as error:
        problem = error.message
    return KnownRun(run, state, problem)
