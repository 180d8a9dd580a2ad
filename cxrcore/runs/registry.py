"""All runs there are: made, found, listed, thrown away and taken back."""

import math
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.runs.process_info import process
from cxrcore.runs.run import QUEUED, RUNNING, Run

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TRASH = ".trash"
_SECONDS_IN_TRASH = 7 * 24 * 3600


def create(config: dict[str, Any], queued: bool = False) -> Run:
    """Make the folder of a new run and return it; the name sorts by time.

    A run is this process's own, unless it is `queued`: then the first worker that is free takes it.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    run = Run(settings.runs_folder() / f"{stamp}-{config['backbone']}-{uuid4().hex[:4]}")
    run.write("config.json", config)
    status = {"state": QUEUED} if queued else {"state": RUNNING, "stage": "starting"} | process()
    run.write("status.json", status | {"created": datetime.now(UTC).timestamp()})
    return run


def load(name: str) -> Run:
    """Return the run `name`, or the newest one whose name starts with it; `latest` is the newest of all.

    Raises:
        UserError: there is no such run.
    """
    found = [run for run in listing() if name == "latest" or run.name.startswith(name)]
    if not _NAME.fullmatch(name) or not found:
        raise UserError("There is no run {name!r}. `cxr runs list` shows what there is.", name=name)
    return found[0]


def listing() -> list[Run]:
    """Return all runs, newest first."""
    return [Run(path.parent) for path in sorted(settings.runs_folder().glob("[!.]*/status.json"), reverse=True)]


def discard(run: Run) -> None:
    """Put a run that has ended into the trash, from where `restore` takes it back; what lies there for a week is
    deleted for good.
    """
    settings.require_writable()
    trash = settings.runs_folder() / _TRASH
    trash.mkdir(exist_ok=True)
    for path in trash.iterdir():
        if _age(path) > _SECONDS_IN_TRASH:
            shutil.rmtree(path, ignore_errors=True)
    target = run.folder.rename(trash / run.name)
    target.touch()  # the week counts from now


def discarded() -> list[Run]:
    """Return the runs in the trash that are not to be deleted for good yet, the last one thrown away first."""
    aged = [(_age(path.parent), path.parent) for path in (settings.runs_folder() / _TRASH).glob("*/status.json")]
    return [Run(folder) for age, folder in sorted(aged) if age <= _SECONDS_IN_TRASH]


def _age(folder: Path) -> float:
    """Return the seconds since a run was thrown away; of one that has just been taken back, infinity."""
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def restore(name: str) -> Run:
    """Take a run back from the trash.

    Raises:
        UserError: it is not there any more.
    """
    settings.require_writable()
    path = settings.runs_folder() / _TRASH / name
    if not _NAME.fullmatch(name) or not path.is_dir():
        raise UserError("Run {name!r} is not in the trash any more.", name=name)
    if (settings.runs_folder() / name).exists():
        raise UserError("There is a run {name!r} already.", name=name)
    return Run(path.rename(settings.runs_folder() / name))
