"""The COVID image data collection: `metadata.csv` beside `images/` (Cohen et al. 2020, arXiv:2003.11597)."""

import io
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from cxrcore.data import classes, exclusions
from cxrcore.data.dicom import age_band
from cxrcore.data.errors import ImageError
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers.base import Reading, check_columns, located, rows, view_columns
from cxrcore.errors import UserError
from cxrcore.messages import msg, plain

NEEDED = ["patientid", "finding", "view", "modality", "filename"]
CITATION = (
    "Cohen JP et al. COVID-19 Image Data Collection, 2020, arXiv:2003.11597. Each image has its own "
    "licence (column `license` of metadata.csv)."
)


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    found = [name.rpartition("/") for name in tree.files if name.endswith("metadata.csv")]
    folders = [folder for folder, _, name in found if name == "metadata.csv"]
    return [folder for folder in folders if tree.below(_join(folder, "images")) and _is_of_collection(tree, folder)]


def _is_of_collection(tree: FileTree, folder: str) -> bool:
    """Tell whether the list in a folder has columns of the collection, or cannot be read; others have this name too."""
    try:
        columns = set(read_csv(tree, _join(folder, "metadata.csv"), rows=0).columns)
    except UserError:
        return True
    return len(columns & set(NEEDED)) > 2


def read(tree: FileTree, folder: str) -> Reading:
    """Return the collection's rows; those that are not frontal X-rays are marked as left out.

    Only COVID-19 is mapped to a class by default: the tutorials use other sources for the other classes.
    """
    table = read_csv(tree, _join(folder, "metadata.csv"))
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise UserError("{origin}: metadata.csv lacks the columns {missing}.", origin=tree.origin, missing=missing)
    repeated = table[["filename", "finding", "view", "modality"]].duplicated()
    source = PurePosixPath(folder).name or tree.name
    records = [
        _record(tree, folder, row, again) | {"source": source, "patient": f"{source}:{row['patientid']}"}
        for row, again in zip(table.to_dict("records"), repeated, strict=True)
    ]
    return Reading(
        "covid-chestxray-dataset", tree.origin, rows(records), plain(CITATION), known={"COVID-19": classes.COVID}
    )


def read_csv(tree: FileTree, name: str, rows: int | None = None) -> pd.DataFrame:
    """Return a CSV of `tree` as text, the first `rows` or all; raise `UserError` if it is not a table."""
    try:
        content = tree.read(name)
        check_columns(io.TextIOWrapper(io.BytesIO(content), "utf-8", "replace", newline=""), tree.origin, name)
        return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding_errors="replace", nrows=rows)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, ImageError) as error:
        raise UserError(
            "{origin}/{name} cannot be read as a table: {error}", origin=tree.origin, name=name, error=error
        ) from error


def _record(tree: FileTree, folder: str, row: dict[str, str], again: bool) -> dict[str, Any]:
    left_out = exclusions.columns("repeated", msg("the file is listed before")) if again else _left_out(row)
    return located(tree, _join(folder, f"images/{row['filename']}")) | {
        "finding": "COVID-19" if "COVID-19" in row["finding"] else row["finding"],
        "view": row["view"],
        "sex": row.get("sex", ""),
        "age": age_band(row.get("age", "")),
        **left_out,
    }


def _left_out(row: dict[str, str]) -> dict[str, str]:
    if row["modality"] != "X-ray":
        reason = msg(
            "{view} ({modality}, not an X-ray)",
            view=classes.readable(row["view"]) or msg("unknown"),
            modality=classes.readable(row["modality"]) or msg("unknown modality"),
        )
        return exclusions.columns("view", reason)
    if not row["view"]:
        return exclusions.columns("view", msg("unknown (not known to be frontal)"))
    return view_columns(row["view"])


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
