"""The result of every reader."""

import csv
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxrcore.data import classes, exclusions
from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.file_tree import FileTree
from cxrcore.errors import UserError
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg

# Columns of the rows, "" where not known. `path` is absolute, or a name in an archive; `finding` is the source's word
# for what is seen; `uncertain` are findings that the source marks as uncertain, joined by `SEPARATOR`; `patient` is
# unique among all sources; `given_split` is the part that the source gives; `boxes` is a JSON list of boxes around
# findings, each [finding, x, y, width, height] in pixels of the image file, finding "" where it is that of the image;
# `left_out` and `left_out_reason` as in a dataset (see `exclusions`); `mark` changes with the image's file.
TEXT = [
    "path",
    "finding",
    "uncertain",
    "patient",
    "source",
    "view",
    "sex",
    "age",
    "given_split",
    "boxes",
    "left_out",
    "left_out_reason",
    "mark",
]
# `content`: a function that returns the bytes of an image that is not a file on disk, else None. `lungs`, `lesions`: a
# tuple of the `archive.File`s of masks, whose union is the mask; empty where there is none.
OBJECTS = ["content", "lungs", "lesions"]
SEPARATOR = "|"  # between the findings of an image that may have several
MAX_COLUMNS = 5000  # of a CSV; pandas takes minutes for 200,000
NO_CITATION = Message(id="")
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "train_set", "training_set"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "val_set", "validation_set"), VALIDATION),
    **dict.fromkeys(("test", "testing", "test_set"), TEST),
}
FRONTAL = {"", "PA", "AP", "AP SUPINE", "AP ERECT", "AP_HORIZONTAL", "FRONTAL"}
# Code of a layout, as kept in `Source.layout` -> its text.
LAYOUTS = {
    "phantom": N_("Synthetic X-rays"),
    "class folders": N_("Class folders"),
    "arrays": N_("NumPy arrays"),
    "CSV": N_("CSV"),
    "covid-chestxray-dataset": N_("COVID-19 image data collection"),
    "radiography": N_("COVID-19 Radiography Database"),
    "covidx": N_("COVIDx"),
    "rsna": N_("RSNA Pneumonia Detection Challenge"),
    "tuberculosis": N_("Shenzhen and Montgomery tuberculosis sets"),
    "masks": N_("Masks"),
    "ChestX-ray14": "NIH ChestX-ray14",
    "CheXpert": "CheXpert",
    "MIMIC-CXR-JPG": "MIMIC-CXR-JPG",
    "VinDr-CXR": "VinDr-CXR",
    "PadChest": "PadChest",
    "BRAX": "BRAX",
}


@dataclass(frozen=True)
class Reading:
    """The images listed in one place, before any is opened.

    Attributes:
        layout: a code of `LAYOUTS`.
        origin: the place to show to users.
        rows: with the columns `TEXT` and `OBJECTS`.
        citation: the publication and the licence.
        several: whether an image may have several findings: `finding` holds names joined by `SEPARATOR`.
        known: the class of a finding by default; a finding that is not in it is left out. None: each finding is a class
            of its own name. For `several`, no finding has a class until the user chooses some.
        notes: what users should know, for example files that are listed but of no known format.
    """

    layout: str
    origin: str
    rows: pd.DataFrame
    citation: Message = NO_CITATION
    several: bool = False
    known: Mapping[str, str] | None = None
    notes: tuple[Message, ...] = ()


def rows(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Return records as a table with `TEXT` and `OBJECTS`; absent values are "", None or ()."""
    table = pd.DataFrame.from_records(records, columns=[*TEXT, *OBJECTS])
    table[TEXT] = table[TEXT].astype(object).fillna("").astype(str)
    table["content"] = table["content"].astype(object).where(table["content"].notna(), None)
    for name in ("lungs", "lesions"):
        table[name] = pd.Series([files if isinstance(files, tuple) else () for files in table[name]], dtype=object)
    return table


def path_of(tree: FileTree, name: str) -> str:
    """Return the column `path` of a file of `tree`."""
    file = tree.files[name]
    return f"{tree.name}/{name}" if file.path is None else str(file.path)


def located(tree: FileTree, name: str) -> dict[str, Any]:
    """Return `path`, `mark`, `content` and why it is left out of a file that may be missing, as far as known."""
    file = tree.files.get(name)
    if file is None:
        missing = exclusions.columns("missing", msg("the file is missing"))
        return {"path": f"{tree.origin}/{name}"} | missing
    found = {"path": path_of(tree, name), "mark": file.mark}
    return found if file.path is not None else found | {"content": file.read}


def not_frontal(view: str) -> Message | None:
    """Return why an image of this view is left out, None for a frontal or unknown view."""
    return None if view.upper() in FRONTAL else msg("{view} (not frontal)", view=classes.readable(view))


def view_columns(view: str) -> dict[str, str]:
    """Return the columns that leave out a view that is not frontal, none for a frontal or unknown view."""
    reason = not_frontal(view)
    return exclusions.columns("view", reason) if reason else {}


def check_columns(lines: Iterable[str], origin: str, name: str) -> None:
    """Raise `UserError` if the header or the first row of a CSV has too many columns, or is no line of a CSV.

    Only these two are read: pandas makes columns of them alone, the first row being an index where it is the longer.
    """
    lengths = (len(row) for row in csv.reader(lines) if len(row) > 1 or "".join(row).strip())
    try:
        columns = max(itertools.islice(lengths, 2), default=0)
    except csv.Error as error:
        raise UserError(
            "{origin}/{name} cannot be read as a table: {error}", origin=origin, name=name, error=error
        ) from error
    if columns > MAX_COLUMNS:
        raise UserError(
            "{origin}/{name} has {columns:,} columns; tables of at most {most:,} are read.",
            origin=origin,
            name=name,
            columns=columns,
            most=MAX_COLUMNS,
        )
