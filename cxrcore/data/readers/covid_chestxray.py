"""The COVID image data collection: `metadata.csv` beside `images/` (Cohen et al. 2020, arXiv:2003.11597)."""

from pathlib import Path

import pandas as pd

from cxrcore.data.readers.base import Reading, rows
from cxrcore.errors import UserError

FRONTAL = {"PA", "AP", "AP Supine"}
NEEDED = ["patientid", "finding", "view", "modality", "filename"]
CITATION = (
    "Cohen JP et al. COVID-19 Image Data Collection, 2020, arXiv:2003.11597. Each image has its own "
    "licence (column `license` of metadata.csv)."
)


def matches(folder: Path) -> bool:
    """Tell whether `folder` has this layout."""
    return (folder / "metadata.csv").is_file() and (folder / "images").is_dir()


def read(folder: Path) -> Reading:
    """Return the collection's rows; those that are not frontal X-rays are marked as left out.

    Only COVID-19 is mapped to a class by default: the tutorials take the other classes elsewhere.
    """
    try:
        table = pd.read_csv(folder / "metadata.csv", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{folder / 'metadata.csv'} cannot be read as a table: {error}") from error
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise UserError(f"{folder / 'metadata.csv'} lacks the columns {', '.join(missing)}.")
    repeated = table[["filename", "finding", "view", "modality"]].duplicated()
    records = [
        {
            "path": str(folder / "images" / row["filename"]),
            "finding": "COVID-19" if "COVID-19" in row["finding"] else row["finding"],
            "patient": row["patientid"],
            "source": folder.name,
            "view": row["view"],
            "left_out": "repeated: the file is listed before" if again else _left_out(row),
        }
        for row, again in zip(table.to_dict("records"), repeated, strict=True)
    ]
    return Reading("covid-chestxray-dataset", folder, rows(records), {"COVID-19": "COVID"}, CITATION)


def _left_out(row: dict) -> str:
    if row["modality"] != "X-ray":
        return f"view: {row['view'] or 'unknown'} ({row['modality'] or 'unknown modality'}, not an X-ray)"
    if row["view"] not in FRONTAL:
        return f"view: {row['view'] or 'unknown'} (not frontal)"
    return ""
