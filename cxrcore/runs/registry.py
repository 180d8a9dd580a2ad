"""All runs: created, found, listed, moved to the trash and restored."""

import math
import re
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cxrcore import files, settings
from cxrcore.config.run_config import RunConfig
from cxrcore.errors import UserError
from cxrcore.messages import Message
from cxrcore.process import process_id
from cxrcore.runs import index
from cxrcore.runs.index import known
from cxrcore.runs.models import QUEUED, RUNNING, RunStatus
from cxrcore.runs.run import Run

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PREPARED = ".new-"  # begins the name of a folder that a run is created in
_TRASH = ".trash"
SECONDS_IN_TRASH = 7 * 24 * 3600


@dataclass(frozen=True)
class DamagedRun:
    """A run folder that cannot be opened, and why."""

    name: str
    message: Message


def create(config: RunConfig, queued: bool = False) -> Run:
    """Make the folder of a new run and return it; the name sorts by time.

    A run belongs to this process, unless it is `queued`: then the first free worker starts it.
    """
    now = datetime.now(UTC)
    stamp = now.strftime("%Y%m%d-%H%M%S-%f")[:-3]
    folder = settings.runs_folder() / f"{stamp}-{config.backbone}-{uuid4().hex[:4]}"
    status = RunStatus(state=QUEUED, created=now.timestamp())
    if not queued:
        status = status.model_copy(update={"state": RUNNING, **dict(process_id())})
    prepared = folder.with_name(f"{PREPARED}{folder.name}")
    try:  # there with its status or not at all, also where the disk is full
        config.write(prepared / "config.json")
        status.write(prepared / "status.json")
        prepared.rename(folder)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return Run(folder)


def add(folder: Path, name: str) -> Run:
    """Move a folder with a complete run to the others, under a name that is free, and return the run."""
    added = Run(folder.rename(settings.runs_folder() / name))
    files.note_change()
    return added


def free_name(name: str) -> str:
    """Return the name for a run from elsewhere: its own, or where that is taken a new one that begins with it."""
    return f"{name[:90]}-{uuid4().hex[:8]}" if _is_taken(name) else name


def is_name(name: str) -> bool:
    """Return whether a run can have this name."""
    return _NAME.fullmatch(name) is not None


def _is_taken(name: str) -> bool:
    return any((folder / name).exists() for folder in (settings.runs_folder(), settings.runs_folder() / _TRASH))


def load(name: str) -> Run:
    """Return the run `name`, or the newest one whose name starts with it; `latest` is the newest of all.

    Raises:
        UserError: there is no such run, or it is damaged.
    """
    found = [run for run in listing() if name == "latest" or run.name.startswith(name)]
    if _NAME.fullmatch(name) and found:
        return found[0]
    for run in damaged():
        if run.name == name:
            raise UserError("Run {name} cannot be opened: {reason}", name=name, reason=run.message)
    raise UserError("There is no run {name!r}. `cxr runs list` lists the runs.", name=name)


def listing() -> list[Run]:
    """Return the runs that can be opened, newest first; the change of another process is seen within a second."""
    return [found.run for found in known() if found.problem is None]


def damaged() -> list[DamagedRun]:
    """Return the run folders that cannot be opened, newest first."""
    return [DamagedRun(found.run.name, found.problem) for found in known() if found.problem is not None]


def discard(run: Run) -> None:
    """Move a run that has ended to the trash, from where `restore` moves it back; after a week it is deleted."""
    settings.require_writable()
    trash = settings.runs_folder() / _TRASH
    trash.mkdir(exist_ok=True)
    for path in trash.iterdir():
        if _age(path) > SECONDS_IN_TRASH:
            shutil.rmtree(path, ignore_errors=True)
    target = run.folder.rename(trash / run.name)
    files.note_change()
    target.touch()  # the week counts from now


def discarded() -> list[Run]:
    """Return the runs in the trash that are not to be deleted yet, the last discarded first."""
    aged = [(_age(path.parent), path.parent) for path in (settings.runs_folder() / _TRASH).glob("*/status.json")]
    found = [Run(folder) for age, folder in sorted(aged) if age <= SECONDS_IN_TRASH]
    return [run for run in found if index.read(run.folder).problem is None]


def _age(folder: Path) -> float:
    """Return the seconds since a run was discarded; infinity for one that has just been restored."""
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def restore(name: str) -> Run:
    """Move a run back from the trash.

    Raises:
        UserError: it is not in the trash any more.
    """
    settings.require_writable()
    path = settings.runs_folder() / _TRASH / name
    if not _NAME.fullmatch(name) or not path.is_dir():
        raise UserError("Run {name!r} is not in the trash any more.", name=name)
    if (settings.runs_folder() / name).exists():
        raise UserError("There is a run {name!r} already.", name=name)
    restored = Run(path.rename(settings.runs_folder() / name))
    files.note_change()
    return restored
