"""Folders named after classes, as in `chest_xray/train/NORMAL/*.jpeg` (Kermany et al. 2018)."""

import re
from collections.abc import Collection
from pathlib import Path

from cxrcore.data.classes import FOLDER_NAMES
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers.base import Reading, rows

# Kermany's names: person1946_bacteria_4874.jpeg, IM-0214-0001.jpeg, NORMAL2-IM-0535-0001-0002.jpeg.
_PATIENT = re.compile(r"^(person\d+)_|^((?:NORMAL2-)?IM-\d+)-\d+")
CITATION = (
    "If these are the Kermany images: Kermany D et al. Labeled Optical Coherence Tomography and Chest "
    "X-Ray Images, 2018, doi:10.17632/rscbjbr9sj, CC BY 4.0; children of 1 to 5 years."
)


def read(folder: Path, without: Collection[Path] = ()) -> Reading:
    """Return every image below `folder` but not below the folders `without`; its own folder's name is the finding."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not any(parent in without for parent in path.parents)
    )
    records = [
        {
            "path": str(path),
            "finding": path.parent.name,
            "patient": _patient(path.name),
            "source": folder.name,
        }
        for path in files
    ]
    is_kermany = folder.name == "chest_xray" or any(record["patient"] for record in records)
    return Reading("class folders", folder, rows(records), FOLDER_NAMES, CITATION if is_kermany else "")


def _patient(name: str) -> str:
    found = _PATIENT.match(name)
    return (found[1] or found[2]) if found else ""
