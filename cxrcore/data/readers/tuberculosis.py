"""The Shenzhen and Montgomery sets: `CHNCXR_0001_0.png` and `MCUCXR_0001_0.png`, where `_1` is tuberculosis.

Both are by the U.S. National Library of Medicine (Jaeger et al. 2014). Sex and age are in `ClinicalReadings/`. Masks of
the lungs are in mask/ or masks/ (Shenzhen), and in ManualMask/leftMask/ and ManualMask/rightMask/ (Montgomery).
"""

import re
from collections import defaultdict
from typing import Any

from cxrcore.data import exclusions
from cxrcore.data.dicom import age_band
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import lists
from cxrcore.data.readers.base import Reading, located, rows
from cxrcore.data.readers.masks import IMAGE_FOLDERS
from cxrcore.errors import UserError
from cxrcore.messages import plain

_NAME = re.compile(r"(chncxr|mcucxr)_(\d+)_([01])", re.IGNORECASE)
_SOURCES = {"chncxr": "Shenzhen", "mcucxr": "Montgomery"}
_FINDINGS = {"0": "Normal", "1": "Tuberculosis"}
# "male 45yrs", "femal 32yrs", "Female, 28 years", "male 16month", "Patient's Sex: F", "Patient's Age: 027Y".
_SEX = re.compile(r"\b(?:(fe)?male?|sex:\s*([MFO]))(?![a-z])", re.IGNORECASE)
_AGE = re.compile(r"(\d{1,3})[ -]*(y|yrs?|years?|m|months?|w|weeks?|d|days?)(?![a-z])", re.IGNORECASE)
_READINGS = "clinicalreadings"
CITATION = (
    "Jaeger S et al. Two Public Chest X-ray Datasets for Computer-Aided Screening of Pulmonary Diseases, "
    "Quant Imaging Med Surg 4(6):475, 2014, doi:10.3978/j.issn.2223-4292.2014.11.20. Open to all by the U.S. National "
    "Library of Medicine, which asks for citation."
)


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout: with clinical readings, or with images of both findings.

    Folders of classes that hold images of these names belong to `class_folders`.
    """
    folders = {lists.parent(name) for name in tree.files}
    with_readings = {lists.parent(folder) for folder in folders if folder.rpartition("/")[2].lower() == _READINGS}
    findings: dict[str, set[str]] = defaultdict(set)
    for name in lists.images(tree, ""):
        if found := _NAME.fullmatch(lists.stem(name)):
            folder = lists.parent(name)
            place = folder if _is_place(folder, with_readings) else lists.parent(folder)
            findings[place].add(found[3])
    return sorted(place for place, found in findings.items() if place in with_readings or len(found) == 2)


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images of both sets below `folder`; an image that is there again, as in test/, is left out."""
    readings = {
        lists.stem(name).removesuffix(".txt"): name
        for name in tree.below(folder)
        if lists.parent(name).rpartition("/")[2].lower() == _READINGS
    }
    records: dict[str, dict[str, Any]] = {}
    others = []
    for name in lists.images(tree, folder):
        if _NAME.fullmatch(lists.stem(name)):
            again = lists.stem(name) in records
            repeated = exclusions.columns("repeated", exclusions.SAME_IMAGE) if again else {}
            records[name if again else lists.stem(name)] = _record(tree, name, readings) | repeated
        else:
            others.append(name)
    notes = lists.unlisted_note(tree.origin, others)
    return Reading("tuberculosis", tree.origin, rows(list(records.values())), plain(CITATION), notes=notes)


def _is_place(folder: str, with_readings: set[str]) -> bool:
    """Tell whether images lie in the folder of a set itself, and not in one such as CXR_png/ in it."""
    own = folder.rpartition("/")[2].lower()
    return not folder or not (own in IMAGE_FOLDERS or lists.parent(folder) in with_readings)


def _record(tree: FileTree, name: str, readings: dict[str, str]) -> dict[str, Any]:
    prefix, number, finding = lists.stem(name).split("_")
    source = _SOURCES[prefix]
    known = {"finding": _FINDINGS[finding], "source": source, "patient": f"{source}:{number}"}
    return located(tree, name) | known | _facts(tree, readings.get(lists.stem(name), ""))


def _facts(tree: FileTree, name: str) -> dict[str, str]:
    """Return the sex and the age band in a clinical reading, as far as it can be read."""
    try:
        reading = lists.text(tree, name) if name else ""
    except UserError:
        return {}
    sex, age = _SEX.search(reading), _AGE.search(reading)
    letter = (sex[2] or ("F" if sex[1] else "M")).upper() if sex else ""
    return {"sex": letter, "age": age_band(age[1] + age[2][0].upper()) if age else ""}
