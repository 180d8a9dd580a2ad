"""Folders named after classes, as in `chest_xray/train/NORMAL/*.jpeg` (Kermany et al. 2018)."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any

from cxrcore.data import dicom
from cxrcore.data.classes import MOST, NO_FOLDER, key, tutorial_class
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers import masks
from cxrcore.data.readers.base import NO_CITATION, SPLIT_NAMES, Reading, located, rows
from cxrcore.messages import msg

# Kermany's names: person1946_bacteria_4874.jpeg, IM-0214-0001.jpeg, NORMAL2-IM-0535-0001-0002.jpeg.
_PATIENT = re.compile(r"^(person\d+)_|^((?:NORMAL2-)?IM-\d+)-\d+")
# Folders of patients, studies and series: patient1, p001, study2, series-3, 1.2.840.113619.
_OF_PATIENT = re.compile(
    r"(?:patient|pat|pt|person|case|subject|sub|study|series|ser|visit|session|exam|p|s)[ _-]*\d[\w.-]*"
    r"|\d+(?:\.\d+){2,}",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\d")
_OF_FILES = re.compile(r"(?:images?|img|imgs|batch|part|fold|set|size|res|v)[ _-]*\d|\d+ ?(?:x ?\d+|px)", re.IGNORECASE)
_NO_IMAGE = {"DICOMDIR", "README", "LICENSE", "LICENCE", "MAKEFILE"}
CITATION = (
    "Kermany D et al. Labeled Optical Coherence Tomography and Chest X-Ray Images, 2018, doi:10.17632/rscbjbr9sj, "
    "CC BY 4.0; children of 1 to 5 years."
)


def read(tree: FileTree, without: Collection[str] = ()) -> Reading:
    """Return every image of `tree` that is not below the folders `without`.

    The folders of the classes are on one level, see `_level`; below them there may be those of patients and series. An
    image in no folder has the finding of `tree`'s name, or `NO_FOLDER` if others have folders or `tree` is no folder. A
    folder named train, val or test gives the part. An image's patient is given by Kermany's file names, or by a folder
    with a number in its name below that of the class.
    """
    skipped = tuple(f"{folder}/" if folder else "" for folder in without)
    of_masks = masks.names(tree)
    names = [name for name in tree.files if not name.startswith(skipped) and name not in of_masks and _is_image(name)]
    source = PurePosixPath(tree.origin).parent.name if tree.name.lower() in SPLIT_NAMES else tree.name
    folders = {place: _folders(place) for place in {PurePosixPath(name).parent for name in names}}
    level = _level(list(folders.values()))
    root = tree.name if tree.name_is_folder and tree.name.lower() not in SPLIT_NAMES else NO_FOLDER
    places = {place: _placed(inner, level, root) for place, inner in folders.items()}
    records = [_record(tree, name, source, *places[PurePosixPath(name).parent]) for name in names]
    is_kermany = source == "chest_xray" or any(_PATIENT.match(PurePosixPath(name).name) for name in names)
    return Reading(
        "class folders",
        tree.origin,
        rows(records),
        msg("If these are the Kermany images: {citation}", citation=CITATION) if is_kermany else NO_CITATION,
    )


def _folders(place: PurePosixPath) -> list[str]:
    """Return the folders above the images in `place` that may be named after a class or a patient."""
    return [
        folder
        for folder in place.parts
        if folder.lower() not in SPLIT_NAMES and folder.lower() not in masks.IMAGE_FOLDERS
    ]


def _level(folders: Sequence[list[str]]) -> int | None:
    """Return the level of the folders that are named after classes, None if there is none.

    It has two names or more, unless there is one class only. Of these levels it is the one with the most usual names
    (NORMAL, PNEUMONIA, COVID ...); if there are none, the lowest one whose names occur below several folders
    (`hospital A/TB`, `hospital B/TB`), or else the uppermost. Names of patients, studies and series are no classes, and
    neither are more than `classes.MOST`.
    """
    depth = max(map(len, folders), default=0)
    names = [{inner[level] for inner in folders if len(inner) > level} for level in range(depth)]
    levels = [
        level
        for level, found in enumerate(names)
        if 2 <= len(found) <= MOST and not all(_is_of_patient(name, level) for name in found)
    ]
    if not levels:  # one class, or none
        alone = [level for level, found in enumerate(names) if len(found) == 1]
        return next((level for level in alone if not all(_is_of_patient(name, level) for name in names[level])), None)
    known = {level: len({key(name) for name in names[level] if tutorial_class(name)}) for level in levels}
    if any(known.values()):
        return max(levels, key=lambda level: (known[level], len(names[level]), -level))
    shared = [level for level in levels if level and _is_shared(folders, level)]
    return shared[-1] if shared else levels[0]


def _is_of_patient(name: str, level: int) -> bool:
    """Tell whether a folder has the name of a patient, a study or a series. Numbers alone may be uppermost classes."""
    return bool(_OF_PATIENT.fullmatch(name)) or (level > 0 and name.isdigit())


def _is_shared(folders: Sequence[list[str]], level: int) -> bool:
    """Tell whether two names or more of a level occur below several folders."""
    above: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for inner in folders:
        if len(inner) > level:
            above[inner[level]].add(tuple(inner[:level]))
    return sum(len(parents) > 1 for parents in above.values()) > 1


def _placed(inner: list[str], level: int | None, root: str) -> tuple[str, str]:
    """Return the finding of the images in a place, and their patient, "" if no folder names one."""
    if level is None:
        below, finding = inner, root
    elif inner:
        below, finding = inner[level + 1 :], inner[min(level, len(inner) - 1)]
    else:
        below, finding = [], NO_FOLDER
    return finding, below[0] if below and _NUMBERED.search(below[0]) and not _OF_FILES.match(below[0]) else ""


def _is_image(name: str) -> bool:
    file = PurePosixPath(name)
    suffix = file.suffix.lower()
    # Names such as 1.2.840.113619.2.5 have a "suffix" of digits.
    looks = suffix in SUFFIXES or suffix in dicom.SUFFIXES or suffix[1:].isdigit()
    return looks and file.name.upper() not in _NO_IMAGE


def _record(tree: FileTree, name: str, source: str, finding: str, folder: str) -> dict[str, Any]:
    folders = [*([tree.name] if tree.name_is_folder else []), *PurePosixPath(name).parent.parts]
    parts = [SPLIT_NAMES[folder.lower()] for folder in folders if folder.lower() in SPLIT_NAMES]
    return located(tree, name) | {
        "finding": finding,
        "patient": _patient(PurePosixPath(name), source, folder),
        "source": source,
        "given_split": parts[-1] if parts else "",
    }


def _patient(name: PurePosixPath, source: str, folder: str) -> str:
    """Return the patient in the name of a file or folder; of a DICOM file, the header has it."""
    if name.suffix.lower() not in SUFFIXES:
        return ""
    found = _PATIENT.match(name.name)
    patient = (found[1] or found[2]) if found else folder
    return f"{source}:{patient}" if patient else ""
