"""Folders named after classes, as in `chest_xray/train/NORMAL/*.jpeg` (Kermany et al. 2018)."""

import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any

from cxrcore.data import dicom
from cxrcore.data.classes import FOLDER_NAMES, NO_FOLDER
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers.base import NO_CITATION, SPLIT_NAMES, Reading, located, rows
from cxrcore.messages import msg

# Kermany's names: person1946_bacteria_4874.jpeg, IM-0214-0001.jpeg, NORMAL2-IM-0535-0001-0002.jpeg.
_PATIENT = re.compile(r"^(person\d+)_|^((?:NORMAL2-)?IM-\d+)-\d+")
_NO_IMAGE = {"DICOMDIR", "README", "LICENSE", "LICENCE", "MAKEFILE"}
CITATION = (
    "Kermany D et al. Labeled Optical Coherence Tomography and Chest X-Ray Images, 2018, doi:10.17632/rscbjbr9sj, "
    "CC BY 4.0; children of 1 to 5 years."
)


def read(tree: FileTree, without: Collection[str] = ()) -> Reading:
    """Return every image of `tree` that is not below the folders `without`.

    The finding is the nearest folder whose name is a known class, or else the image's own folder: a PACS export has
    folders of patients and series between the two. Uploaded files in no folder have the finding `NO_FOLDER`. A folder
    named train, val or test gives the part.
    """
    skipped = tuple(f"{folder}/" if folder else "" for folder in without)
    names = [name for name in tree.files if _is_image(name) and not name.startswith(skipped)]
    source = PurePosixPath(tree.origin).parent.name if tree.name.lower() in SPLIT_NAMES else tree.name
    records = [_record(tree, name, source) for name in names]
    is_kermany = source == "chest_xray" or any(record["patient"] for record in records)
    return Reading(
        "class folders",
        tree.origin,
        rows(records),
        FOLDER_NAMES,
        msg("If these are the Kermany images: {citation}", citation=CITATION) if is_kermany else NO_CITATION,
    )


def _is_image(name: str) -> bool:
    file = PurePosixPath(name)
    suffix = file.suffix.lower()
    # Names such as 1.2.840.113619.2.5 have a "suffix" of digits.
    looks = suffix in SUFFIXES or suffix in dicom.SUFFIXES or suffix[1:].isdigit()
    return looks and file.name.upper() not in _NO_IMAGE


def _record(tree: FileTree, name: str, source: str) -> dict[str, Any]:
    root = [tree.name] if tree.name_is_folder else []
    folders = [*root, *PurePosixPath(name).parent.parts]
    findings = [folder for folder in folders if folder.lower() not in SPLIT_NAMES] or root or [NO_FOLDER]
    parts = [SPLIT_NAMES[folder.lower()] for folder in folders if folder.lower() in SPLIT_NAMES]
    known = [folder for folder in findings if folder.upper() in FOLDER_NAMES]
    return located(tree, name) | {
        "finding": (known or findings)[-1],
        "patient": _patient(PurePosixPath(name), source),
        "source": source,
        "given_split": parts[-1] if parts else "",
    }


def _patient(name: PurePosixPath, source: str) -> str:
    """Return the patient in the file name; of a DICOM file, the header has it."""
    found = _PATIENT.match(name.name) if name.suffix.lower() in SUFFIXES else None
    return f"{source}:{found[1] or found[2]}" if found else ""
