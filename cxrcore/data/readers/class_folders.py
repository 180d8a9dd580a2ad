"""Folders named after classes, as in `chest_xray/train/NORMAL/*.jpeg` (Kermany et al. 2018)."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from cxrcore.data import dicom
from cxrcore.data.classes import MOST, NO_FOLDER, tutorial_class
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers import masks
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

    A PACS export has folders of patients and series below those of the classes. So the finding is the nearest folder of
    a usual name (NORMAL, PNEUMONIA, COVID ...); for other images, the folder of the same level. In a tree without usual
    names it is the image's own folder, or the uppermost one if there would be more than `classes.MOST`. Uploaded files
    in no folder have the finding `NO_FOLDER`. A folder named train, val or test gives the part.
    """
    skipped = tuple(f"{folder}/" if folder else "" for folder in without)
    of_masks = masks.names(tree)
    names = [name for name in tree.files if not name.startswith(skipped) and name not in of_masks and _is_image(name)]
    source = PurePosixPath(tree.origin).parent.name if tree.name.lower() in SPLIT_NAMES else tree.name
    folders = {place: _folders(tree, place) for place in {PurePosixPath(name).parent for name in names}}
    findings = _findings(folders)
    records = [_record(tree, name, source, findings[PurePosixPath(name).parent]) for name in names]
    is_kermany = source == "chest_xray" or any(record["patient"] for record in records)
    return Reading(
        "class folders",
        tree.origin,
        rows(records),
        msg("If these are the Kermany images: {citation}", citation=CITATION) if is_kermany else NO_CITATION,
    )


def _folders(tree: FileTree, place: PurePosixPath) -> list[str]:
    """Return the folders above the images in `place` that may be named after a class."""
    root = [tree.name] if tree.name_is_folder else []
    inner = [
        folder
        for folder in place.parts
        if folder.lower() not in SPLIT_NAMES and folder.lower() not in masks.IMAGE_FOLDERS
    ]
    return [*(folder for folder in root if folder.lower() not in SPLIT_NAMES), *inner]


def _findings(folders: Mapping[PurePosixPath, list[str]]) -> dict[PurePosixPath, str]:
    """Return the finding of the images in each place."""
    levels = {level for names in folders.values() for level in range(1, len(names)) if tutorial_class(names[level])}
    own = {names[-1] for names in folders.values() if names}
    level = min(levels) if levels else 1 if len(own) > MOST else None
    return {place: _finding(names, level) for place, names in folders.items()}


def _finding(names: list[str], level: int | None) -> str:
    if not names:
        return NO_FOLDER
    known = [name for name in names if tutorial_class(name)]
    if known:
        return known[-1]
    return names[-1] if level is None else names[min(level, len(names) - 1)]


def _is_image(name: str) -> bool:
    file = PurePosixPath(name)
    suffix = file.suffix.lower()
    # Names such as 1.2.840.113619.2.5 have a "suffix" of digits.
    looks = suffix in SUFFIXES or suffix in dicom.SUFFIXES or suffix[1:].isdigit()
    return looks and file.name.upper() not in _NO_IMAGE


def _record(tree: FileTree, name: str, source: str, finding: str) -> dict[str, Any]:
    folders = [*([tree.name] if tree.name_is_folder else []), *PurePosixPath(name).parent.parts]
    parts = [SPLIT_NAMES[folder.lower()] for folder in folders if folder.lower() in SPLIT_NAMES]
    return located(tree, name) | {
        "finding": finding,
        "patient": _patient(PurePosixPath(name), source),
        "source": source,
        "given_split": parts[-1] if parts else "",
    }


def _patient(name: PurePosixPath, source: str) -> str:
    """Return the patient in the file name; of a DICOM file, the header has it."""
    found = _PATIENT.match(name.name) if name.suffix.lower() in SUFFIXES else None
    return f"{source}:{found[1] or found[2]}" if found else ""
