"""CheXpert: `train.csv` and `valid.csv` with 14 labels of 1, 0, -1 or blank (Irvin et al. 2019)."""

import re

import pandas as pd

from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import label_table
from cxrcore.data.readers.base import Reading
from cxrcore.data.readers.label_table import CHEXPERT_FINDINGS, Table
from cxrcore.messages import plain

SOURCE = "CheXpert"
CITATION = (
    "Irvin J et al. CheXpert: A Large Chest Radiograph Dataset with Uncertainty Labels and Expert Comparison, AAAI "
    "2019, doi:10.1609/aaai.v33i01.3301590. Stanford University Dataset Research Use Agreement: non-commercial "
    "research, no redistribution. Labels of the training images were made from reports by a program."
)
_PARTS = {"train.csv": TRAIN, "valid.csv": VALIDATION, "test.csv": TEST, "test_labels.csv": TEST}
_PARTS_OF_PATH = 3  # patient00001/study1/view1_frontal.jpg; what is before it depends on the download
_PATIENT = re.compile(r"(?:^|/)(patient\d+)/")


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    found = label_table.places(tree, _is_list, lambda keys: "path" in keys and len(CHEXPERT_FINDINGS.keys() & keys) > 1)
    # The full-size download has the lists in `CheXpert-v1.0 batch 1 (...)`, and images in four such folders.
    above = [place.rpartition("/")[0] if "batch 1" in place.rpartition("/")[2] else place for place in found]
    return list(dict.fromkeys(above))


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images of all lists; lateral views are marked as left out. A list gives the part of its images."""
    names = [name for file in _PARTS for name in label_table.lists(tree, folder, file.__eq__)]
    tables = [label_table.read_table(tree, name) for name in names]
    tables = [table for table in tables if "path" in table.titles]
    parts = [_PARTS[table.name.rpartition("/")[2].lower().removesuffix(".gz")] for table in tables]
    given = [part for table, part in zip(tables, parts, strict=True) for _ in range(len(table.data))]
    table = label_table.joined(tables)
    codes, notes = label_table.label_codes(table, list(CHEXPERT_FINDINGS))
    paths = table.text("path").str.replace("\\", "/")
    images = pd.DataFrame(
        {
            "file": paths,
            "finding": label_table.names_marked(codes == label_table.POSITIVE, list(CHEXPERT_FINDINGS.values())),
            "uncertain": label_table.names_marked(codes == label_table.UNCERTAIN, list(CHEXPERT_FINDINGS.values())),
            "patient": paths.str.extract(_PATIENT, expand=False).fillna(""),
            "view": _views(table, paths),
            "sex": table.text("sex"),
            "age": table.text("age"),
            "given_split": given,
        }
    )
    files = label_table.ImageFiles(tree, folder, _PARTS_OF_PATH)
    listed = label_table.image_rows(tree, files, images, SOURCE, table.name, has_laterals=True)
    return Reading(SOURCE, tree.origin, listed, plain(CITATION), several=True, notes=(*table.notes, *notes))


def _is_list(name: str) -> bool:
    return name in _PARTS


def _views(table: Table, paths: pd.Series) -> pd.Series:
    """Return AP or PA of a frontal image, as the list or else the file name says; Lateral for others."""
    by_name = paths.str.extract(r"_(frontal|lateral)\b", expand=False).fillna("").str.capitalize()
    kind = table.text("frontal/lateral")
    kind = kind.where(kind != "", by_name)
    direction = table.text("ap/pa")
    return direction.where((kind == "Frontal") & (direction != ""), kind)
