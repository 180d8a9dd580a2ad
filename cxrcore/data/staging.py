"""A new dataset is prepared in a hidden folder and published by one rename: it is there complete or not at all."""

import hashlib
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
from filelock import FileLock, Timeout

from cxrcore import sealing, settings
from cxrcore.data import dataset
from cxrcore.data.info import DatasetInfo
from cxrcore.data.inspection import InspectedImage
from cxrcore.errors import UserError
from cxrcore.files import append_line, atomic_path, note_change
from cxrcore.schema import Stored, write_table
from cxrcore.sealing import Sealed

IMPORTING = ".importing-"  # begins the names of hidden folders
_KEPT_DAYS = 7  # interrupted imports are deleted after this time
_LOCK = ".lock"
_FOUND, _SALT = "found.jsonl", "salt.json"


def check_name_is_free(name: str, replace: bool = False) -> None:
    """Raise `UserError` when `name` cannot be used for a new dataset."""
    if not dataset.exists(dataset.check_name(name)):
        dataset.check_new_name(name)
    elif not replace:
        raise UserError("A dataset named {name!r} exists already. Choose another name, or replace it.", name=name)


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a temporary folder on the datasets' disk; it is removed when the block ends, unless published."""
    settings.require_writable()
    settings.datasets_folder().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=IMPORTING, dir=settings.datasets_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Salt(Stored):
    """What the patient identifiers of one import are hashed with."""

    salt: Annotated[str, Sealed("", "")]


@dataclass(frozen=True)
class Unfinished:
    """An import under way: `found.jsonl` holds what was found in each image so far, in the order of the rows, encrypted
    (see `sealing`).
    """

    folder: Path
    salt: str

    def done(self) -> int:
        """Return in how many images an interrupted import has found something; a line that was cut off is removed."""
        count = 0
        with atomic_path(self.folder / _FOUND) as temporary, temporary.open("w", encoding="utf-8") as kept:
            for line in self._lines():
                if line.startswith('"') and line.endswith("\n"):  # else of an earlier version, or cut off
                    kept.write(line)
                    count += 1
        return count

    def found(self) -> Iterator[InspectedImage]:
        """Yield what was found in each image so far, read one by one: that of many images has gigabytes."""
        for line in self._lines():
            yield InspectedImage.model_validate_json(sealing.unseal(json.loads(line)))

    def _lines(self) -> Iterator[str]:
        if (self.folder / _FOUND).exists():
            with (self.folder / _FOUND).open(encoding="utf-8", errors="replace") as file:
                yield from file

    def append(self, found: InspectedImage) -> None:
        """Append what was found in the next image."""
        append_line(self.folder / _FOUND, sealing.seal(found.model_dump_json(exclude_unset=True)))

    def discard(self) -> None:
        """Remove the folder, if the import cannot succeed."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def resumable(name: str, plan: Sequence[str]) -> Iterator[Unfinished]:
    """Yield the folder of the import of `plan` into `name`: an interrupted one of the same plan, or a new one.

    `plan` holds everything that the outcome depends on. Unless published or discarded, the folder stays for a week.

    Raises:
        UserError: the same import is running already.
    """
    settings.require_writable()
    settings.datasets_folder().mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\n".join([name, *plan]).encode(errors="replace")).hexdigest()[:16]
    folder = settings.datasets_folder() / f"{IMPORTING}{key}"
    try:
        with FileLock(folder.with_suffix(".lock")).acquire(timeout=0):
            _remove_old(besides=folder)
            (folder / "images").mkdir(parents=True, exist_ok=True)
            salt = Salt.read_if_present(folder / _SALT)
            if salt is None or not salt.salt:  # without the key, what was found before cannot be read either
                (folder / _FOUND).unlink(missing_ok=True)
                salt = Salt(salt=secrets.token_hex(16))
                salt.write(folder / _SALT)
            yield Unfinished(folder, salt.salt)
    except Timeout as error:
        raise UserError(
            "These images are being imported as {name!r} already, in another tab or window.", name=name
        ) from error


def publish(folder: Path, name: str, table: pd.DataFrame, info: DatasetInfo, replace: bool) -> dataset.Dataset:
    """Write the table and rename the staged folder to its place.

    Raises:
        UserError: the name was taken meanwhile, or the disk is full.
    """
    write_table(folder / dataset.TABLE, dataset.complete(table))
    info.write(folder / dataset.INFO)
    for leftover in (_FOUND, _SALT):
        (folder / leftover).unlink(missing_ok=True)
    target = settings.datasets_folder() / name
    hidden = dataset.replaced(name)
    with FileLock(settings.datasets_folder() / _LOCK):
        check_name_is_free(name, replace)
        if target.exists():
            dataset.remove_replaced(name)  # what an earlier replacement left
            target.replace(hidden)
        try:
            folder.replace(target)
        except BaseException:  # also a request to end
            if hidden.exists() and not target.exists():
                hidden.replace(target)
            raise
        dataset.remove_replaced(name)
    note_change()
    return dataset.load(name)


def interrupted() -> list[Path]:
    """Return the folders of datasets that were being replaced when the process was killed: their place is free."""
    found = [table.parent for table in settings.datasets_folder().glob(f"{dataset.REPLACED}*/{dataset.TABLE}")]
    return [path for path in found if not _place_of(path).exists()]


def put_back(folder: Path) -> None:
    """Put a dataset of `interrupted` back; nothing happens where it is none any more, or datasets are being changed."""
    with suppress(OSError), FileLock(settings.datasets_folder() / _LOCK).acquire(timeout=2):
        if folder in interrupted():
            folder.replace(_place_of(folder))
            note_change()


def remains() -> list[Path]:
    """Return what is left of datasets that were replaced: their place is taken, or they have no table any more."""
    hidden = interrupted()
    return [path for path in settings.datasets_folder().glob(f"{dataset.REPLACED}*") if path not in hidden]


def remove_remains(folder: Path) -> None:
    """Remove a folder of `remains`; nothing happens where it is none any more, or datasets are being changed."""
    with suppress(OSError), FileLock(settings.datasets_folder() / _LOCK).acquire(timeout=2):
        if folder in remains():
            dataset.remove_replaced(_place_of(folder).name)


def _place_of(folder: Path) -> Path:
    return folder.with_name(folder.name.removeprefix(dataset.REPLACED))


def _remove_old(besides: Path) -> None:
    """Remove what interrupted imports left behind long ago."""
    for path in settings.datasets_folder().glob(f"{IMPORTING}*"):
        if path.stem != besides.stem and time.time() - path.stat().st_mtime > _KEPT_DAYS * 86400:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
