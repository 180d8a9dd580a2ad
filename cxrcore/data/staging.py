"""A new dataset comes to its place in one step: it is there whole or not at all."""

import hashlib
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.files import append_line, atomic_path, read_json, read_lines, write_json, write_text

_KEPT_DAYS = 7  # an interrupted import that nobody went on with


def refuse_taken(name: str, replace: bool) -> None:
    """Raise `UserError` when `name` cannot be used for a new dataset."""
    if dataset.check_name(name) in dataset.names() and not replace:
        raise UserError("A dataset named {name!r} exists already. Choose another name, or replace it.", name=name)


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a temporary folder on the datasets' disk; what is not published when the block ends is gone."""
    settings.require_writable()
    settings.datasets_folder().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".importing-", dir=settings.datasets_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Unfinished:
    """An import under way: `found.jsonl` holds what was found in each image so far, in the order of the rows."""

    folder: Path
    salt: str

    def found(self) -> list[dict[str, Any]]:
        """Return what an interrupted import found; a line that was being written is dropped."""
        lines = read_lines(self.folder / "found.jsonl")
        write_text(self.folder / "found.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        return lines

    def keep(self, found: dict[str, Any]) -> None:
        """Append what was found in the next image."""
        append_line(self.folder / "found.jsonl", found)

    def discard(self) -> None:
        """Remove all of it: nobody will go on with it."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def resumable(name: str, plan: Sequence[str]) -> Iterator[Unfinished]:
    """Yield the folder of the import of `plan` into `name`: an interrupted one of the same plan, or a new one.

    `plan` says all that the outcome depends on. What was found stays, unless it is published or discarded, for a week.

    Raises:
        UserError: the same import runs already.
    """
    settings.require_writable()
    settings.datasets_folder().mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\n".join([name, *plan]).encode(errors="replace")).hexdigest()[:16]
    folder = settings.datasets_folder() / f".importing-{key}"
    try:
        with FileLock(folder.with_suffix(".lock")).acquire(timeout=0):
            _clean(besides=folder)
            (folder / "images").mkdir(parents=True, exist_ok=True)
            if not (folder / "salt.json").is_file():
                write_json(folder / "salt.json", secrets.token_hex(16))
            yield Unfinished(folder, read_json(folder / "salt.json"))
    except Timeout as error:
        raise UserError(
            "These images are being imported as {name!r} already, in another tab or window.", name=name
        ) from error


def publish(folder: Path, name: str, table: pd.DataFrame, about: dict, replace: bool) -> dataset.Dataset:
    """Write the table and rename the staged folder to its place: a dataset is there whole or not at all.

    Raises:
        UserError: the name was taken meanwhile, or the disk is full.
    """
    with atomic_path(folder / "table.parquet") as temporary:
        dataset.complete(table).to_parquet(temporary, index=False)
    write_json(folder / "dataset.json", about)
    for leftover in ("found.jsonl", "salt.json"):
        (folder / leftover).unlink(missing_ok=True)
    target = settings.datasets_folder() / name
    with FileLock(settings.datasets_folder() / ".lock"), staging() as old:
        refuse_taken(name, replace)
        if target.exists():
            target.replace(old / name)
        try:
            folder.replace(target)
        except OSError:
            (old / name).replace(target)
            raise
    return dataset.load(name)


def _clean(besides: Path) -> None:
    """Remove what interrupted imports left behind long ago."""
    for path in settings.datasets_folder().glob(".importing-*"):
        if path.stem != besides.stem and time.time() - path.stat().st_mtime > _KEPT_DAYS * 86400:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
