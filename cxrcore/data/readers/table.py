"""A CSV that lists images and labels, with columns that the user names or that have a usual name."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from cxrcore.data.classes import FOLDER_NAMES
from cxrcore.data.dicom import age_band
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers.base import SPLIT_NAMES, Reading, located, not_frontal, rows
from cxrcore.data.readers.covid_chestxray import read_csv
from cxrcore.errors import UserError

# Role -> names by which a column is taken for it, in small letters; the first that is there counts.
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
ROLES = tuple(USUAL)


def guess(columns: list[str]) -> dict[str, str]:
    """Return role to column for the columns of usual names."""
    small = {name.strip().lower(): name for name in columns}
    found = {role: next((small[name] for name in names if name in small), "") for role, names in USUAL.items()}
    return {role: name for role, name in found.items() if name}


def tables(tree: FileTree) -> list[str]:
    """Return the CSVs of `tree` that name images and labels by usual columns, or the one that was given itself."""
    if tree.table:
        return [tree.table]
    return [name for name in tree.files if name.lower().endswith(".csv") and _lists_images(tree, name)]


def read(tree: FileTree, name: str, chosen: Mapping[str, str]) -> Reading:
    """Return one row a line of the CSV. `chosen` names the column of a role, over the usual ones, "" for none.

    A path is absolute, relative to the CSV, or a file name that occurs once below the CSV's folder.

    Raises:
        UserError: a column is not there, or none tells path or finding.
    """
    table = read_csv(tree, name)
    for role, column in chosen.items():
        if role not in ROLES or (column and column not in table.columns):
            expected = f"a role of {', '.join(ROLES)} and a column of {', '.join(table.columns[:30])}"
            raise UserError(
                "column to read: expected {expected}. Received: {role}={column}",
                expected=expected,
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
                names=", ".join(table.columns[:30]),
            )
    folder = PurePosixPath(name).parent
    elsewhere = _by_file_name(tree.below("" if str(folder) == "." else str(folder)))
    values = {role: table[column] for role, column in columns.items()}
    records = [_record(tree, folder, elsewhere, row) for row in pd.DataFrame(values).to_dict("records")]
    return Reading("CSV", f"{tree.origin}/{name}", rows(records), FOLDER_NAMES)


def _lists_images(tree: FileTree, name: str) -> bool:
    try:
        return {"path", "finding"} <= guess(list(read_csv(tree, name, rows=0).columns)).keys()
    except UserError:
        return False


def _record(tree: FileTree, folder: PurePosixPath, elsewhere: Mapping[str, str], row: dict[str, str]) -> dict:
    listed = row["path"].strip().replace("\\", "/")
    if Path(listed).is_absolute():
        file = {"path": listed}
    else:
        own = str(folder / listed)
        file = located(tree, own if own in tree.files else elsewhere.get(PurePosixPath(listed).name, own))
    patient = row.get("patient", "").strip()
    view, split = row.get("view", "").strip(), row.get("split", "").strip().lower()
    return file | {
        "finding": row["finding"].strip(),
        "patient": f"{tree.name}:{patient}" if patient else "",
        "source": row.get("source", "").strip() or tree.name,
        "view": view,
        "sex": row.get("sex", "").strip()[:1].upper(),
        "age": age_band(row.get("age", "")),
        "given_split": SPLIT_NAMES.get(split, ""),
        "left_out": not_frontal(view) or file.get("left_out", ""),
    }


def _by_file_name(names: list[str]) -> dict[str, str]:
    """Return file name to full name, for the file names that occur once."""
    files = pd.Series(names, index=[PurePosixPath(name).name for name in names], dtype=object)
    return files[~files.index.duplicated(keep=False)].to_dict()
