"""NIH ChestX-ray14: `Data_Entry_2017*.csv` and folders of PNG files (Wang et al. 2017)."""

import re

import pandas as pd

from cxrcore.data.dataset import TEST, TRAIN
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import label_table
from cxrcore.data.readers.base import SEPARATOR, Reading
from cxrcore.errors import UserError
from cxrcore.messages import Message, plain

SOURCE = "ChestX-ray14"
CITATION = (
    "Wang X et al. ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks, CVPR 2017, "
    "doi:10.1109/CVPR.2017.369. The NIH Clinical Center provides the images (nihcc.app.box.com/v/ChestXray-NIHCC), "
    "without restrictions of use; it asks to be acknowledged. Labels were text-mined from reports."
)
_LIST = re.compile(r"(data_entry_2017.*|sample_labels)\.csv")
_BOXES = re.compile(r"bbox_list_2017.*\.csv")
_PARTS = {"train_val_list.txt": TRAIN, "test_list.txt": TEST}
_NAMES = {"Infiltrate": "Infiltration"}  # the list of boxes names a finding differently


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    return label_table.places(tree, _is_list, lambda keys: {"imageindex", "findinglabels"} <= set(keys))


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images of the latest `Data_Entry_2017*.csv`, with the official split and the boxes if listed."""
    table = label_table.read_table(tree, max(label_table.lists(tree, folder, _is_list)))
    names = table.text("imageindex")
    labels = table.text("findinglabels")
    (parts, wrong_parts), (boxes, wrong_boxes) = _parts(tree, folder), _boxes(tree, folder)
    images = pd.DataFrame(
        {
            "file": names,
            "finding": labels.map({text: _findings(text) for text in labels.unique()}),
            "patient": table.text("patientid"),
            "view": table.text("viewposition"),
            "sex": table.text("patientgender", "patientsex"),
            "age": table.text("patientage"),
            "given_split": label_table.split_of(names, parts),
            "boxes": label_table.looked_up(
                names, {image: label_table.boxes_text(found) for image, found in boxes.items()}
            ),
        }
    )
    files = label_table.ImageFiles(tree, folder)
    listed = label_table.image_rows(tree, files, images, SOURCE, table.name)
    notes = (*table.notes, *wrong_parts, *wrong_boxes)
    return Reading(SOURCE, tree.origin, listed, plain(CITATION), several=True, notes=notes)


def _is_list(name: str) -> bool:
    return _LIST.fullmatch(name) is not None


def _findings(labels: str) -> str:
    names = [name.strip() for name in labels.split(SEPARATOR)]
    return SEPARATOR.join(dict.fromkeys(name for name in names if name))


def _parts(tree: FileTree, folder: str) -> tuple[dict[str, list[str]], tuple[Message, ...]]:
    """Return the file names of each part of the official split, and notes."""
    found: dict[str, list[str]] = {}
    notes: tuple[Message, ...] = ()
    for name in tree.below(folder):
        part = _PARTS.get(name.rpartition("/")[2].lower())
        if part and part not in found:
            try:
                found[part] = label_table.read_lines(tree, name)
            except UserError as error:
                notes = (*notes, error.message)
    return found, notes


def _boxes(tree: FileTree, folder: str) -> tuple[dict[str, list[list[str | float]]], tuple[Message, ...]]:
    """Return the boxes by file name, and notes. The header splits `Bbox [x,y,w,h]` into four columns."""
    for name in label_table.lists(tree, folder, lambda file: _BOXES.fullmatch(file) is not None):
        try:
            table = label_table.read_table(tree, name)
        except UserError as error:
            return {}, (error.message,)
        columns = list(table.data.columns)
        first = next((k for k, key in enumerate(columns) if key.startswith("bbox")), len(columns))
        corners = [table.text(key) for key in columns[first : first + 4]]
        if len(corners) == 4:
            findings = table.text("findinglabel").replace(_NAMES)
            return label_table.boxes_by_image(table, table.text("imageindex"), findings, corners, sized=True)
    return {}, ()
