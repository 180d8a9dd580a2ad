"""MIMIC-CXR-JPG: `mimic-cxr-2.*-metadata.csv`, `-split.csv`, `-chexpert.csv`, or `.csv.gz` (Johnson et al. 2019)."""

import re

import pandas as pd

from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import label_table
from cxrcore.data.readers.base import Reading
from cxrcore.data.readers.label_table import CHEXPERT_FINDINGS, Table
from cxrcore.errors import UserError
from cxrcore.messages import Message, plain

SOURCE = "MIMIC-CXR-JPG"
CITATION = (
    "Johnson AEW et al. MIMIC-CXR-JPG, a large publicly available database of labeled chest radiographs, 2019, "
    "arXiv:1901.07042, doi:10.13026/jsn5-t979; Goldberger AL et al. PhysioNet, Circulation 2000;101(23):e215-e220. "
    "PhysioNet Credentialed Health Data License 1.5.0: for credentialed users, no redistribution. Labels were made "
    "from reports by a program."
)
_SPLIT = {"train": TRAIN, "validate": VALIDATION, "test": TEST}
_DIRECTIONS = {"postero-anterior": "PA", "antero-posterior": "AP", "lateral": "LATERAL", "left lateral": "LATERAL"}
_STUDY = ["subjectid", "studyid"]


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    return label_table.places(tree, lambda name: _is(name, "metadata"), lambda keys: {"dicomid", *_STUDY} <= set(keys))


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images of the metadata. The labels are those of the study, by CheXpert's labeler, else NegBio's.

    Lateral and unknown views are marked as left out.
    """
    table = label_table.read_table(tree, max(_lists(tree, folder, "metadata")))
    labels = _table(tree, folder, "chexpert") or _table(tree, folder, "negbio")
    if labels is None:
        raise UserError("{origin}: {name} is missing.", origin=tree.origin, name="mimic-cxr-2.0.0-chexpert.csv")
    split = _table(tree, folder, "split")
    images = pd.DataFrame({key: table.text(key) for key in ("dicomid", *_STUDY)})
    subject, study = images["subjectid"], images["studyid"]
    found, notes = _labels(labels)
    images = images.merge(found, how="left", on=_STUDY).fillna("")
    images["file"] = "files/p" + subject.str[:2] + "/p" + subject + "/s" + study + "/" + images["dicomid"] + ".jpg"
    images["patient"] = subject
    images["view"] = _views(table)
    if split is not None:
        parts = label_table.looked_up(split.text("split").str.lower(), _SPLIT)
        images["given_split"] = label_table.looked_up(
            images["dicomid"], dict(zip(split.text("dicomid"), parts, strict=True))
        )
    files = label_table.ImageFiles(tree, folder)
    images = images.drop(columns=["dicomid", *_STUDY])
    listed = label_table.image_rows(tree, files, images, SOURCE, table.name, has_laterals=True)
    notes = (*table.notes, *labels.notes, *notes, *(split.notes if split else ()))
    return Reading(SOURCE, tree.origin, listed, plain(CITATION), several=True, notes=notes)


def _is(name: str, kind: str) -> bool:
    return re.fullmatch(rf"mimic-cxr-2[\d.]*-{kind}\.csv", name) is not None


def _lists(tree: FileTree, folder: str, kind: str) -> list[str]:
    return label_table.lists(tree, folder, lambda name: _is(name, kind))


def _table(tree: FileTree, folder: str, kind: str) -> Table | None:
    names = _lists(tree, folder, kind)
    return label_table.read_table(tree, max(names)) if names else None


def _labels(table: Table) -> tuple[pd.DataFrame, tuple[Message, ...]]:
    """Return `finding` and `uncertain` of each study, the first row of one that is listed again."""
    codes, notes = label_table.label_codes(table, list(CHEXPERT_FINDINGS))
    names = list(CHEXPERT_FINDINGS.values())
    studies = pd.DataFrame(
        {
            "subjectid": table.text("subjectid"),
            "studyid": table.text("studyid"),
            "finding": label_table.names_marked(codes == label_table.POSITIVE, names),
            "uncertain": label_table.names_marked(codes == label_table.UNCERTAIN, names),
        }
    )
    return studies.drop_duplicates(_STUDY), notes


def _views(table: Table) -> pd.Series:
    """Return the view, or that of the view code if there is none."""
    views = table.text("viewposition")
    codes = label_table.looked_up(table.text("viewcodesequencecodemeaning").str.lower(), _DIRECTIONS)
    return views.where(views != "", codes)
