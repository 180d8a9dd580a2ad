"""The RSNA Pneumonia Detection Challenge: `stage_2_train_labels.csv` beside `stage_2_train_images/` (Shih et al. 2019).

A row of the labels is a box; an image without an opacity has one row without numbers. The images of the test have no
labels. Each image has a `patientId` of its own. If RSNA's file of mappings (`*mappings*.json`) is there, the patients
are those of ChestX-ray14, from which the images were taken.
"""

import json
import math
import re
from dataclasses import dataclass, field

from cxrcore.data import exclusions
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import lists
from cxrcore.data.readers.base import Reading, located, rows
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg, plain

_LABELS = re.compile(r"stage_\d_train_labels\.csv", re.IGNORECASE)
_CLASSES = re.compile(r"stage_\d_detailed_class_info\.csv", re.IGNORECASE)
_MAPPINGS = re.compile(r".*mappings.*\.json", re.IGNORECASE)
# Target 0 is no "no finding": more than half of these images show something else.
OPACITY, NO_OPACITY = "Lung Opacity", "No Lung Opacity"
CITATION = (
    "Shih G et al. Augmenting the National Institutes of Health Chest Radiograph Dataset with Expert Annotations of "
    "Possible Pneumonia, Radiol Artif Intell 1(1):e180041, 2019, doi:10.1148/ryai.2019180041; images of "
    "Wang X et al. ChestX-ray8, CVPR 2017. Any use is permitted by RSNA's terms if both are named."
)


@dataclass
class _Labels:
    """What the labels say of an image."""

    target: bool = False
    boxes: list[list[str | float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    folders = {_place(name) for name in tree.files if _LABELS.fullmatch(name.rpartition("/")[2])}
    return sorted(folder for folder in folders if lists.images(tree, folder))


def read(tree: FileTree, folder: str) -> Reading:
    """Return a row of each image with a label, with the boxes around opacities.

    The finding is the detailed class if there is one, else `OPACITY` or `NO_OPACITY`.
    """
    below = tree.below(folder)
    found: dict[str, _Labels] = {}
    notes = [*_read_labels(tree, _last(below, _LABELS), found)]
    if detailed := _last(below, _CLASSES):
        notes += _read_classes(tree, detailed, found)
    patients = _patients(tree, _last(below, _MAPPINGS))
    images = lists.images(tree, folder)
    by_stem = {lists.stem(name): name for name in sorted(images, key=_is_of_training)}  # the last one of a stem
    source = lists.source(tree, folder)
    records = []
    for identifier, labels in found.items():
        name = by_stem.get(identifier.lower(), lists.join(folder, f"stage_2_train_images/{identifier}.dcm"))
        file = located(tree, name)
        conflict = len(set(labels.findings)) > 1 and "left_out" not in file
        left_out = exclusions.columns("conflict", msg("the same image occurs with another class")) if conflict else {}
        records.append(
            file
            | {
                "finding": labels.findings[0] if labels.findings else OPACITY if labels.target else NO_OPACITY,
                "patient": f"{source}:{patients.get(identifier.lower(), identifier)}",
                "source": source,
                "boxes": json.dumps(labels.boxes) if labels.boxes else "",
            }
            | left_out
        )
    listed = {identifier.lower() for identifier in found}
    notes += lists.unlisted_note(tree.origin, [name for name in images if lists.stem(name) not in listed])
    return Reading("rsna", tree.origin, rows(records), plain(CITATION), notes=tuple(notes))


def _place(name: str) -> str:
    """Return the folder of the set; a list that was downloaded as a ZIP of its own lies in a folder of its name."""
    folder = lists.parent(name)
    return (
        lists.parent(folder) if _LABELS.fullmatch(folder.rpartition("/")[2].removesuffix(".csv") + ".csv") else folder
    )


def _last(names: list[str], pattern: re.Pattern[str]) -> str:
    """Return the list of the last stage, "" if there is none."""
    return max((name for name in names if pattern.fullmatch(name.rpartition("/")[2])), default="")


def _read_labels(tree: FileTree, name: str, found: dict[str, _Labels]) -> tuple[Message, ...]:
    """Add the targets and boxes of a list to `found`; return the note on its faulty lines."""
    table = lists.table(tree, name, ("patientid", "target"))
    faulty = list(table.faulty)
    for line, row in table.rows:
        if not row["patientid"] or row["target"] not in ("0", "1"):
            faulty.append(line)
            continue
        labels = found.setdefault(row["patientid"], _Labels())
        labels.target |= row["target"] == "1"
        sides = [row.get(side, "") for side in ("x", "y", "width", "height")]
        if row["target"] == "1" and any(sides):
            box = _box(sides)
            if box is None:
                faulty.append(line)
            elif box not in labels.boxes:
                labels.boxes.append(box)
    return lists.faulty_note(name, faulty)


def _box(sides: list[str]) -> list[str | float] | None:
    """Return a box as `readers.base` has it; None if it is none."""
    try:
        x, y, width, height = map(float, sides)
    except ValueError:
        return None
    is_box = all(map(math.isfinite, (x, y, width, height))) and width > 0 and height > 0
    return ["", x, y, width, height] if is_box else None


def _read_classes(tree: FileTree, name: str, found: dict[str, _Labels]) -> tuple[Message, ...]:
    """Add the detailed classes to the images in `found`; return the note on faulty lines."""
    table = lists.table(tree, name, ("patientid", "class"))
    faulty = list(table.faulty)
    for line, row in table.rows:
        if not row["patientid"] or not row["class"]:
            faulty.append(line)
        elif row["patientid"] in found:
            found[row["patientid"]].findings.append(row["class"])
    return lists.faulty_note(name, faulty)


def _patients(tree: FileTree, name: str) -> dict[str, str]:
    """Return `patientId` in lower case to the patient of ChestX-ray14 (`00000013` of 00000013_026.png)."""
    if not name:
        return {}
    try:
        entries = json.loads(lists.text(tree, name))
        return {str(entry["subset_img_id"]).lower(): str(entry["img_id"]).partition("_")[0] for entry in entries}
    except (ValueError, TypeError, KeyError, RecursionError, UserError):  # of another form, or damaged
        return {}


def _is_of_training(name: str) -> bool:
    """Tell whether a file is in the folder of the images with labels."""
    return "train" in lists.parent(name).rpartition("/")[2].lower()
