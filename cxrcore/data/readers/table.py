"""A CSV that lists images and labels, in columns that the user chooses or that have a usual name."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from cxrcore.data.dicom import age_band
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import lists, masks
from cxrcore.data.readers.base import SEPARATOR, SPLIT_NAMES, Reading, located, rows, view_columns
from cxrcore.data.readers.covid_chestxray import read_csv
from cxrcore.errors import UserError
from cxrcore.i18n import N_

# Role -> usual names of its column in lower case; the first one present is used.
USUAL = {
    "path": ("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image index", "image_id"),
    "finding": ("finding", "label", "class", "diagnosis", "finding labels", "category", "target"),
    "patient": ("patient", "patientid", "patient_id", "patient id", "subject", "subject_id"),
    "view": ("view", "view position", "viewposition", "view_position", "projection"),
    "sex": ("sex", "patient gender", "gender", "patient sex"),
    "age": ("age", "patient age"),
    "split": ("split", "part", "set", "fold"),
    "source": ("source", "hospital", "site", "institution"),
}
# Code of a role -> its text.
ROLES = {
    "path": N_("path"),
    "finding": N_("finding"),
    "patient": N_("patient"),
    "view": N_("view"),
    "sex": N_("sex"),
    "age": N_("age"),
    "split": N_("split"),
    "source": N_("source"),
}


def guess(columns: list[str]) -> dict[str, str]:
    """Return role to column for the columns that have a usual name."""
    lower = {name.strip().lower(): name for name in columns}
    found = {role: next((lower[name] for name in names if name in lower), "") for role, names in USUAL.items()}
    return {role: name for role, name in found.items() if name}


def tables(tree: FileTree) -> list[str]:
    """Return the CSVs of `tree` that name images and labels by usual columns, or the one that was given itself."""
    if tree.table:
        return [tree.table]
    return [name for name in tree.files if name.lower().endswith(".csv") and _lists_images(tree, name)]


def read(tree: FileTree, name: str, chosen: Mapping[str, str]) -> Reading:
    """Return one row a line of the CSV. `chosen` is the column of a role, before the usual ones, "" for none.

    A path is absolute, relative to the CSV, or a file name that occurs once below the CSV's folder.

    Raises:
        UserError: a column does not exist, or none has the role path or finding.
    """
    table = read_csv(tree, name)
    for role, column in chosen.items():
        if role not in ROLES or (column and column not in table.columns):
            raise UserError(
                "column to read: expected a role of {roles} and a column of {columns}. Received: {role}={column}",
                roles=list(ROLES),
                columns=list(table.columns[:30]),
                role=role,
                column=column,
            )
    merged = guess(list(table.columns)) | dict(chosen)
    columns = {role: column for role, column in merged.items() if column}
    for role in ("path", "finding"):
        if role not in columns:
            raise UserError(
                "{name} has no column known as {role}. Choose one of {names}.",
                name=name,
                role=role,
                names=list(table.columns[:30]),
            )
    folder = PurePosixPath(name).parent
    of_masks = masks.names(tree)
    below = tree.below("" if str(folder) == "." else str(folder))
    elsewhere = _by_file_name([file for file in below if file not in of_masks])
    values = {role: table[column] for role, column in columns.items()}
    records = [_record(tree, folder, elsewhere, row) for row in pd.DataFrame(values).to_dict("records")]
    found = rows(records)
    several = bool(found["finding"].str.contains(SEPARATOR, regex=False).any())
    return Reading(
        "CSV",
        f"{tree.origin}/{name}",
        found,
        several=several,
        notes=lists.unlisted_notes(tree, lists.parent(name), found),
    )


def _lists_images(tree: FileTree, name: str) -> bool:
    try:
        return {"path", "finding"} <= guess(list(read_csv(tree, name, rows=0).columns)).keys()
    except UserError:
        return False


def _record(tree: FileTree, folder: PurePosixPath, elsewhere: Mapping[str, str], row: dict[str, str]) -> dict[str, Any]:
    listed = row["path"].strip().replace("\\", "/")
    if Path(listed).is_absolute():
        file: dict[str, Any] = {"path": listed}
    else:
        own = str(folder / listed)
        name = PurePosixPath(listed).name
        file = located(tree, own if own in tree.files else elsewhere.get(name) or elsewhere.get(lists.stem(name), own))
    patient = row.get("patient", "").strip()
    view, split = row.get("view", "").strip(), row.get("split", "").strip().lower()
    return (
        view_columns(view)
        | file
        | {
            "finding": row["finding"].strip(),
            "patient": f"{tree.name}:{patient}" if patient else "",
            "source": row.get("source", "").strip() or tree.name,
            "view": view,
            "sex": row.get("sex", "").strip()[:1].upper(),
            "age": age_band(row.get("age", "")),
            "given_split": SPLIT_NAMES.get(split, ""),
        }
    )


def _by_file_name(names: list[str]) -> dict[str, str]:
    """Return file name to full name, for the file names that occur once, with and without the suffix of an image."""
    found: dict[str, str] = {}
    for short in (lists.stem, lambda name: PurePosixPath(name).name):
        count = Counter(map(short, names))
        found |= {file: name for name in names if count[file := short(name)] == 1}
    return found
