"""A dataset: a folder with `dataset.json`, `table.parquet`, one row an image, `measures.parquet` and `edits.jsonl`."""

import os
import re
import shutil
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import pandas as pd
from cachetools import LRUCache, cached

from cxrcore import schema, sealing, settings
from cxrcore.data import classes, exclusions, versions
from cxrcore.data.info import DatasetInfo
from cxrcore.data.versions import Edit
from cxrcore.errors import DamagedFileError, UnreadableFileError, UserError
from cxrcore.files import Stamp, note_change, stamp
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg
from cxrcore.watched import Watched

PARTS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
PART_TITLES = {TRAIN: N_("training"), VALIDATION: N_("validation"), TEST: N_("test")}
INFO = "dataset.json"
TABLE = "table.parquet"
REPLACED = ".replaced-"  # begins the name of a folder that makes room for another one, see `staging.publish`
MEASURES = "measures.parquet"  # statistics of the images, see `image_statistics.measure`; the index is the SHA-256
TEXT = [  # "" where not known
    "path",  # absolute, or relative to the dataset's folder
    "sha256",
    "label",
    "patient",  # an image whose patient is unknown counts as a patient of its own
    "source",
    "view",
    "sex",  # M, F or O
    "age",  # a band, see `dicom.age_band`
    "finding",
    "given_split",  # the part that the source gives, one of PARTS
    "format",
    "modality",
    "burned_in",  # the DICOM mark for burned-in text
    "left_out",  # a code of `exclusions.KINDS`, "" for an image in use
    "left_out_reason",  # see `exclusions.reason`
    "lungs",  # path of a mask
    "lesions",  # path of a mask
]
NUMBERS = ["width", "height", "bits"]  # pixels and bits of a channel; 0 where the image could not be opened
_TABLE_BYTES = 100 * 2**20  # of the tables that are kept in memory: about 100,000 images in all
_READ = (INFO, TABLE, versions.LOG)
_Stamps = tuple[Stamp, ...]
_Content = tuple[DatasetInfo, list[Edit], pd.DataFrame]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Windows gives these names to devices, whatever follows a dot, and drops a dot at the end.
_NOT_ON_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|.*\.", re.IGNORECASE)


@dataclass(frozen=True)
class Dataset:
    """`table` has the columns `TEXT`, `NUMBERS` and `row`, its number. Version 1 is as imported, see `versions`.

    `info` has the classes of this version.
    """

    name: str
    folder: Path
    table: pd.DataFrame
    info: DatasetInfo
    version: int = 1

    @property
    def usable(self) -> pd.DataFrame:
        """The rows in use, renumbered from 0."""
        return self.table[self.table["left_out"] == ""].reset_index(drop=True)

    @property
    def left_out(self) -> pd.DataFrame:
        """The rows that are not used, with the reason."""
        return self.table[self.table["left_out"] != ""].reset_index(drop=True)

    @property
    def classes(self) -> list[str]:
        """The classes that have at least one image in use, in the dataset's order."""
        present = set(self.table["label"][self.table["left_out"] == ""].unique())  # iterating takes ten times as long
        return [name for name in self.info.classes if name in present]

    @property
    def positive(self) -> str:
        """The positive class of a two-class question, "" for any other."""
        return classes.positive(self.classes, self.info.positive)

    @property
    def locked(self) -> bool:
        """Whether names of files and patients were encrypted with a key that is not at hand (see `sealing`)."""
        return bool(self.table["patient"].str.startswith(schema.LOCKED).any())

    @property
    def is_phantom(self) -> bool:
        """Whether every image is synthetic, made by this program."""
        return self.info.phantom is not None

    def check_key(self) -> None:
        """Raise `NoKeyError` if the patients are not known, so that no split by patient can be made."""
        if self.locked:
            raise sealing.NoKeyError

    def counts(self) -> dict[str, int]:
        """Return the number of images in use by class."""
        found = self.usable["label"].value_counts()
        return {name: int(found[name]) for name in self.classes}

    def left_out_counts(self) -> dict[str, int]:
        """Return the number of images left out by code of `exclusions.KINDS`, the most frequent first."""
        return {str(kind): int(count) for kind, count in self.left_out["left_out"].value_counts().items()}


@dataclass(frozen=True)
class KnownDataset:
    """What lists of datasets show of one: when it was made (as `DatasetInfo.created`), and why it cannot be opened, or
    None. `read` are the `stamps` of its files.
    """

    name: str
    read: _Stamps
    created: str
    problem: Message | None


def check_name(name: str) -> str:
    """Return `name` if it can be that of a dataset; raise `UserError` otherwise."""
    if not _NAME.fullmatch(name):
        raise UserError(
            "A dataset's name has up to 64 letters, digits, dots, dashes or underscores and starts with a "
            "letter or digit. Received: {name!r}",
            name=name,
        )
    return name


def check_new_name(name: str) -> str:
    """Return `name` if a new dataset can have it on every system; raise `UserError` otherwise."""
    if _NOT_ON_WINDOWS.fullmatch(check_name(name)):
        raise UserError("A dataset cannot be named {name!r}: Windows has no such folders.", name=name)
    return name


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with exactly the columns `TEXT` and `NUMBERS`, in this order; absent values are "" or 0."""
    table = table.reindex(columns=[*TEXT, *NUMBERS])
    table[TEXT] = table[TEXT].astype(object).fillna("").astype(str)
    table[NUMBERS] = table[NUMBERS].fillna(0).astype(int)
    return table


def load(name: str, version: int = 0) -> Dataset:
    """Return a version of the dataset `name` with absolute paths, 0 for the newest.

    Raises:
        UserError: there is no such dataset or version, or a file of it is damaged or newer than this program, or the
            system does not let it be read.
    """
    folder = settings.datasets_folder() / check_name(name)
    if not exists(name):
        known = names()
        raise UserError("There is no dataset {name!r}. Datasets: {known}.", name=name, known=known or msg("none yet"))
    read = stamps(folder)
    _, edits, _ = _kept(folder, read)
    newest = len(edits) + 1
    if not 0 <= version <= newest:
        raise UserError(
            "version of {name}: expected 1 to {newest}. Received: {version}",
            name=name,
            newest=newest,
            version=version,
        )
    found = _loaded(folder, read, version or newest)
    # A shallow copy would cost less than these 5 ms for 100,000 rows, but each leaves references of up to 0.8 MB in all
    # behind in the table that is kept. Text is not copied, as Arrow's arrays do not change.
    return replace(found, table=found.table.copy())


@cached(LRUCache(_TABLE_BYTES, lambda found: _bytes(found.table)), lock=Lock())
def _loaded(folder: Path, read: _Stamps, version: int) -> Dataset:
    """Return a version, which must not be changed."""
    info, edits, table = _kept(folder, read)
    info = versions.info_after(info, edits[: version - 1])
    table = versions.apply(table, edits[: version - 1])
    for column in ("path", "lungs", "lesions"):
        table[column] = [os.path.join(folder, value) if value else "" for value in table[column].tolist()]  # noqa: PTH118 - fast
    found = Dataset(folder.name, folder, table.assign(row=table.index), info, version)
    return (
        replace(found, info=info.model_copy(update={"notes": [*info.notes, sealing.NO_KEY]})) if found.locked else found
    )


def known() -> tuple[KnownDataset, ...]:
    """Return all datasets, sorted by name, as they were about `watched.SECONDS` ago."""
    return _WATCHED.get(settings.datasets_folder())


def names() -> list[str]:
    """Return the names of the datasets that can be opened, sorted."""
    return [found.name for found in known() if found.problem is None]


def damaged() -> dict[str, Message]:
    """Return why datasets cannot be opened, by name, sorted."""
    return {found.name: found.problem for found in known() if found.problem is not None}


def exists(name: str) -> bool:
    """Tell whether there is a dataset of this name, damaged or not."""
    return _is_dataset(settings.datasets_folder() / name)


def free_name(stem: str) -> str:
    """Return `stem` if no dataset has this name, else `stem-2` or the next number that is free."""
    number, name = 1, stem
    while exists(name):
        number += 1
        name = f"{stem}-{number}"
    return name


def delete(name: str) -> None:
    """Remove a dataset, damaged or not. Images that were imported from elsewhere stay where they are."""
    settings.require_writable()
    folder = settings.datasets_folder() / name if exists(check_name(name)) else load(name).folder
    remove_replaced(name)  # first: without the dataset, `cxr doctor` would offer to put it back
    shutil.rmtree(folder)
    note_change()


def replaced(name: str) -> Path:
    """Return the hidden folder in which a dataset is while another one takes its place."""
    return settings.datasets_folder() / f"{REPLACED}{name}"


def remove_replaced(name: str) -> None:
    """Remove that folder; its table first, so that what is left is no dataset."""
    (replaced(name) / TABLE).unlink(missing_ok=True)
    shutil.rmtree(replaced(name), ignore_errors=True)


def _look(folder: Path, every_file: bool) -> tuple[KnownDataset, ...]:
    # There are few files, and edits are appended: all are looked at.
    key = stamp(settings.key_file())
    try:
        found = sorted(path for path in folder.iterdir() if path.name[0] != "." and _is_dataset(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise UnreadableFileError(folder, error) from error
    return tuple(_checked(each, (*_stamps(each), key)) for each in found)


def _is_dataset(folder: Path) -> bool:
    return any(_may_exist(folder / file) for file in (INFO, TABLE))


def _may_exist(path: Path) -> bool:
    """Tell whether there is a file or a link, or the system does not tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with a null character
        return False
    except OSError:
        return True
    return True


_WATCHED = Watched(_look)


def _read(folder: Path) -> _Content:
    """Return what is kept of a dataset, with a table of the current schema."""
    path = folder / INFO
    try:
        info, edits = DatasetInfo.read(path), versions.read(folder)
        path = folder / TABLE
        table, _ = schema.read_table(path)
    except FileNotFoundError as error:
        raise DamagedFileError("{path} is missing.", path=path) from error
    if not {"path", "sha256", "label", "left_out"} <= set(table.columns):
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path)
    table = complete(table if "left_out_reason" in table else exclusions.migrate(table))
    if not info.classes:  # of a version that had the tutorials' three
        info = info.model_copy(update={"classes": classes.ordered([*classes.TUTORIAL, *table["label"]])})
    if any(row not in table.index for edit in edits for row in edit.rows):
        raise DamagedFileError("{path} names rows that the table does not have.", path=folder / versions.LOG)
    return info, edits, table


def stamps(folder: Path) -> _Stamps:
    """Return the stamps of the files that a dataset is read from, and of the key's."""
    return (*_stamps(folder), stamp(settings.key_file()))


def _stamps(folder: Path) -> _Stamps:
    return tuple(stamp(f"{folder}/{name}") for name in _READ)


def _checked(folder: Path, read: _Stamps) -> KnownDataset:
    try:
        return _checked_once(folder, read)
    except UnreadableFileError as error:  # may be a permission, and those are not in the stamps
        return KnownDataset(folder.name, read, "", error.message)


@lru_cache(maxsize=1024)
def _checked_once(folder: Path, read: _Stamps) -> KnownDataset:
    try:
        info, *_ = _kept(folder, read)
    except UnreadableFileError:
        raise
    except UserError as error:
        return KnownDataset(folder.name, read, "", error.message)
    return KnownDataset(folder.name, read, info.created, None)


def _bytes(table: pd.DataFrame) -> int:
    return int(table.memory_usage(deep=True).sum())


@cached(LRUCache(_TABLE_BYTES, lambda content: _bytes(content[2])), lock=Lock())
def _kept(folder: Path, read: _Stamps) -> _Content:
    """Return what is kept of a dataset, which must not be changed; read again when a file has changed."""
    return _read(folder)
