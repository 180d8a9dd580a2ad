"""BRAX: `master_spreadsheet*.csv` with the labels of CheXpert, PNG and DICOM files (Reis et al. 2022)."""

import re

import pandas as pd

from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import label_table
from cxrcore.data.readers.base import Reading
from cxrcore.data.readers.label_table import CHEXPERT_FINDINGS
from cxrcore.messages import plain

SOURCE = "BRAX"
CITATION = (
    "Reis EP et al. BRAX, Brazilian labeled chest x-ray dataset, Scientific Data 2022, doi:10.1038/s41597-022-01608-8; "
    "doi:10.13026/grwk-yh18. PhysioNet Credentialed Health Data License 1.5.0: for credentialed users, no "
    "redistribution. Labels were made from reports by a program."
)


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    return label_table.places(tree, _is_list, lambda keys: "pngpath" in keys or "dicompath" in keys)


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images of the list, the PNG file or else the DICOM file of each; lateral views are left out."""
    table = label_table.read_table(tree, max(label_table.lists(tree, folder, _is_list)))
    codes, notes = label_table.label_codes(table, list(CHEXPERT_FINDINGS))
    names = list(CHEXPERT_FINDINGS.values())
    files = label_table.ImageFiles(tree, folder)
    images = pd.DataFrame(
        {
            "file": [
                dicom if not files.find(png) and files.find(dicom) else png
                for png, dicom in zip(table.text("pngpath").tolist(), table.text("dicompath").tolist(), strict=True)
            ],
            "finding": label_table.names_marked(codes == label_table.POSITIVE, names),
            "uncertain": label_table.names_marked(codes == label_table.UNCERTAIN, names),
            "patient": table.text("patientid"),
            "view": table.text("viewposition"),
            "sex": table.text("patientsex"),
            # Groups of five years; the last is "85 or more".
            "age": table.text("patientage").str.extract(r"^(\d+)", expand=False).fillna(""),
        }
    )
    listed = label_table.image_rows(tree, files, images, SOURCE, table.name, has_laterals=True)
    return Reading(SOURCE, tree.origin, listed, plain(CITATION), several=True, notes=(*table.notes, *notes))


def _is_list(name: str) -> bool:
    return re.fullmatch(r"master_spreadsheet.*\.csv", name) is not None
