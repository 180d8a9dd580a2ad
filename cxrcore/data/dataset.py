"""A dataset: a folder with `dataset.json`, `table.parquet`, one row an image, `measures.parquet` and `edits.jsonl`."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cxrcore import settings
from cxrcore.data import classes, versions
from cxrcore.errors import UserError
from cxrcore.files import read_json, read_lines

# `path`, `lungs` and `lesions` (mask files, "" where there is none) are absolute, or relative to the
# dataset's folder. `patient` is never "": an image whose patient is unknown counts as a patient of its
# own. `left_out` is "" for the images in use, else `kind: detail`. `age` is a band, `sex` M, F or O,
# `given_split` one of PARTS, `burned_in` the DICOM mark for burned-in text; each "" where not known.
# Width and height are in pixels, `bits` of a channel, 0 where the image could not be opened.
TEXT = [
    "path", "sha256", "label", "patient", "source", "view", "sex", "age", "finding", "given_split", "format",
    "modality", "burned_in", "left_out", "lungs", "lesions",
]  # fmt: skip
NUMBERS = ["width", "height", "bits"]
PARTS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
MEASURES = "measures.parquet"  # see `measures`; the index is the SHA-256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Dataset:
    """`table` has the columns `TEXT`, `NUMBERS` and `row`, its number; `about` is the content of dataset.json.

    Version 1 is as imported, each edit makes the next (see `editing`).
    """

    name: str
    folder: Path
    table: pd.DataFrame
    about: dict
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
        """The classes that have at least one image in use."""
        return classes.ordered(self.usable["label"])

    @property
    def is_phantom(self) -> bool:
        """Whether every image was drawn by this project."""
        return bool(self.about.get("phantom"))

    def counts(self) -> dict[str, int]:
        """Return the number of images in use by class."""
        found = self.usable["label"].value_counts()
        return {name: int(found[name]) for name in self.classes}

    def left_out_counts(self) -> dict[str, int]:
        """Return the number of images left out by kind of reason."""
        kinds = self.left_out["left_out"].str.split(":").str[0]
        return {str(kind): int(count) for kind, count in kinds.value_counts().items()}


def check_name(name: str) -> str:
    """Return `name` if it can name a folder; raise `UserError` otherwise."""
    if not _NAME.fullmatch(name):
        raise UserError(
            "A dataset's name has up to 64 letters, digits, dots, dashes or underscores and starts with a "
            "letter or digit. Received: {name!r}",
            name=name,
        )
    return name


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with exactly the columns `TEXT` and `NUMBERS`, in their order; what is absent is "" or 0."""
    table = table.reindex(columns=[*TEXT, *NUMBERS])
    table[TEXT] = table[TEXT].astype(object).fillna("").astype(str)
    table[NUMBERS] = table[NUMBERS].fillna(0).astype(int)
    return table


def load(name: str, version: int = 0) -> Dataset:
    """Return a version of the dataset `name` with absolute paths, 0 for the newest.

    Raises:
        UserError: there is no such dataset or version.
    """
    folder = settings.datasets_folder() / check_name(name)
    if not (folder / "dataset.json").is_file():
        known = ", ".join(names()) or "none yet"
        raise UserError("There is no dataset {name!r}. Datasets: {known}.", name=name, known=known)
    edits = read_lines(folder / versions.LOG)
    if not 0 <= version <= len(edits) + 1:
        raise UserError(
            "version of {name}: expected 1 to {newest}. Received: {version}",
            name=name,
            newest=len(edits) + 1,
            version=version,
        )
    version = version or len(edits) + 1
    table = versions.applied(complete(pd.read_parquet(folder / "table.parquet")), edits[: version - 1])
    for column in ("path", "lungs", "lesions"):
        table[column] = [os.path.join(folder, value) if value else "" for value in table[column]]  # noqa: PTH118 - fast
    return Dataset(name, folder, table.assign(row=table.index), read_json(folder / "dataset.json"), version)


def names() -> list[str]:
    """Return the names of all datasets, sorted."""
    return sorted(path.parent.name for path in settings.datasets_folder().glob("[!.]*/dataset.json"))


def free_name(stem: str) -> str:
    """Return `stem` if no dataset has this name, else `stem-2` or the next number that is free."""
    taken, number, name = set(names()), 1, stem
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def delete(name: str) -> None:
    """Remove a dataset. Images that were imported from elsewhere stay where they are."""
    settings.require_writable()
    shutil.rmtree(load(name).folder)
