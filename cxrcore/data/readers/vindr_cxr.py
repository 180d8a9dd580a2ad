"""VinDr-CXR: DICOM files and the labels and boxes of three radiologists for each (Nguyen et al. 2022).

PhysioNet has a row for each image and radiologist with a column for each finding, and boxes in further lists. Kaggle
has one `train.csv` of boxes.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from cxrcore.data.dataset import TEST, TRAIN
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import label_table
from cxrcore.data.readers.base import SEPARATOR, Reading
from cxrcore.data.readers.label_table import Table
from cxrcore.errors import UserError
from cxrcore.messages import Message, plain

SOURCE = "VinDr-CXR"
CITATION = (
    "Nguyen HQ et al. VinDr-CXR: An open dataset of chest X-rays with radiologist's annotations, Scientific Data 2022, "
    "doi:10.1038/s41597-022-01498-w; doi:10.13026/3akn-b287. PhysioNet Credentialed Health Data License 1.5.0: for "
    "credentialed users, no redistribution. Of several radiologists, the majority counts."
)
_LABELS = {"image_labels_train.csv": TRAIN, "image_labels_test.csv": TEST}
_BOXES = {"annotations_train.csv": TRAIN, "annotations_test.csv": TEST}
_KAGGLE = "train.csv"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_NAMES = {"Other disease": "Other diseases"}  # the test list names a finding differently

Boxes = dict[str, list[list[str | float]]]


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    physionet = label_table.places(
        tree, lambda name: name in _LABELS, lambda keys: {"imageid", "nofinding", "aorticenlargement"} <= set(keys)
    )
    return [*physionet, *label_table.places(tree, lambda name: name == _KAGGLE, _is_kaggle)]


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images with the findings that most of their radiologists marked, and the boxes of these findings."""
    names = [name for file in _LABELS for name in label_table.lists(tree, folder, file.__eq__)]
    parts = [_physionet(tree, folder, name) for name in names] or [_kaggle(tree, folder)]
    images = pd.concat([part for part, _ in parts], ignore_index=True)
    notes = tuple(note for _, found in parts for note in found)
    files = label_table.ImageFiles(tree, folder)
    listed = label_table.image_rows(tree, files, images, SOURCE, names[0] if names else _KAGGLE)
    return Reading(SOURCE, tree.origin, listed, plain(CITATION), several=True, notes=notes)


def _is_kaggle(keys: Collection[str]) -> bool:
    return {"imageid", "classname", "radid", *_CORNERS} <= set(keys)


def _physionet(tree: FileTree, folder: str, name: str) -> tuple[pd.DataFrame, tuple[Message, ...]]:
    """Return the images of a list of labels, and notes."""
    part = _LABELS[name.rpartition("/")[2].lower().removesuffix(".gz")]
    table = label_table.read_table(tree, name)
    keys = [key for key in table.data.columns if key not in ("imageid", "radid") and not key.startswith("unnamed")]
    codes, notes = label_table.label_codes(table, keys)
    votes = pd.DataFrame(codes == label_table.POSITIVE)
    readers = pd.DataFrame({"image": table.text("imageid"), "radid": table.text("radid")})
    first = ~readers.duplicated() & (readers["image"] != "")
    agreed = votes[first].groupby(readers["image"][first], sort=False).mean() > 0.5
    titles = [_NAMES.get(table.titles[key], table.titles[key]) for key in keys]
    findings = label_table.names_marked(agreed.to_numpy(bool), titles)
    boxes, more = _annotations(tree, folder, part)
    return _images(list(agreed.index), findings, boxes, part), (*table.notes, *notes, *more)


def _annotations(tree: FileTree, folder: str, part: str) -> tuple[Boxes, tuple[Message, ...]]:
    """Return the boxes by image of the list of a part, and notes; none if there is no such list."""
    for name in label_table.lists(tree, folder, lambda file: _BOXES.get(file) == part):
        try:
            return _boxes(label_table.read_table(tree, name))
        except UserError as error:
            return {}, (error.message,)
    return {}, ()


def _boxes(table: Table) -> tuple[Boxes, tuple[Message, ...]]:
    corners = [table.text(key) for key in _CORNERS]
    boxes, notes = label_table.boxes_by_image(
        table, table.text("imageid"), table.text("classname"), corners, sized=False
    )
    return boxes, (*table.notes, *notes)


def _kaggle(tree: FileTree, folder: str) -> tuple[pd.DataFrame, tuple[Message, ...]]:
    """Return the images of Kaggle's list, which names a finding of a radiologist in each row, and notes."""
    table = label_table.read_table(tree, label_table.lists(tree, folder, lambda name: name == _KAGGLE)[0])
    marks = pd.DataFrame({"image": table.text("imageid"), "radid": table.text("radid")})
    marks["name"] = table.text("classname")
    marks = marks[marks["image"] != ""].drop_duplicates()
    readers = marks.groupby("image", sort=False)["radid"].nunique()
    named = marks[marks["name"] != ""]
    votes = named.groupby(["image", "name"], sort=False).size().rename("votes").reset_index()
    agreed = votes[2 * votes["votes"] > votes["image"].map(readers)]
    findings: dict[str, list[str]] = {}
    for image, name in zip(agreed["image"].tolist(), agreed["name"].tolist(), strict=True):
        findings.setdefault(image, []).append(name)
    images = list(readers.index)
    boxes, notes = _boxes(table)
    return _images(images, [SEPARATOR.join(findings.get(image, ())) for image in images], boxes, TRAIN), notes


def _images(names: list[str], findings: list[str], boxes: Boxes, part: str) -> pd.DataFrame:
    """Return the rows of images; a box of a finding that the image does not have is not kept."""
    kept = [
        label_table.boxes_text([box for box in boxes.get(name, ()) if box[0] in finding.split(SEPARATOR)])
        for name, finding in zip(names, findings, strict=True)
    ]
    files = [f"{part}/{name}.dicom" for name in names]
    return pd.DataFrame(
        {"file": files, "finding": findings, "boxes": kept, "given_split": np.full(len(names), part, object)}
    )
