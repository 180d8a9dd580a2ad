"""PadChest: `PADCHEST_chest_x_ray_images_labels_160K*.csv` and folders of 16-bit PNG files (Bustos et al. 2020)."""

import ast
import math
import re

import pandas as pd

from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import label_table
from cxrcore.data.readers.base import SEPARATOR, Reading
from cxrcore.data.readers.label_table import Table
from cxrcore.messages import Message, msg, plain

SOURCE = "PadChest"
CITATION = (
    "Bustos A et al. PadChest: A large chest x-ray image dataset with multi-label annotated reports, Medical Image "
    "Analysis 2020, doi:10.1016/j.media.2020.101797. For research, on request from BIMCV and under its terms "
    "(bimcv.cipf.es/bimcv-projects/padchest); no redistribution."
)
_COLUMNS = {
    *("imageid", "imagedir", "patientid", "patientbirth", "patientsexdicom"),
    *("projection", "labels", "studydatedicom"),
}
_LONGEST = 10_000  # characters of the labels of an image


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout."""
    return label_table.places(tree, _is_list, lambda keys: {"imageid", "labels", "projection"} <= set(keys))


def read(tree: FileTree, folder: str) -> Reading:
    """Return the images of the list; those of a projection that is not frontal are marked as left out."""
    names = label_table.lists(tree, folder, _is_list)
    table = label_table.read_table(tree, max(names), _COLUMNS)
    labels = table.text("labels")
    found = {text: _findings(text) for text in labels.unique()}
    places_of = table.text("imagedir")
    images = pd.DataFrame(
        {
            "file": (places_of + "/").where(places_of != "", "") + table.text("imageid"),
            "finding": labels.map({text: names or "" for text, names in found.items()}),
            "patient": table.text("patientid"),
            "view": table.text("projection"),
            "sex": table.text("patientsexdicom"),
            "age": _ages(table),
        }
    )
    files = label_table.ImageFiles(tree, folder)
    listed = label_table.image_rows(tree, files, images, SOURCE, table.name, has_laterals=True)
    wrong = labels.map({text: names is None for text, names in found.items()}).to_numpy(bool)
    notes: tuple[Message, ...] = table.notes
    if wrong.any():
        text = msg(
            "{name}: {n} labels are not a list of findings and count as blank, for example {value!r}",
            name=table.name,
            n=int(wrong.sum()),
            value=labels[wrong].iloc[0][:80],
        )
        notes = (*notes, text)
    return Reading(SOURCE, tree.origin, listed, plain(CITATION), several=True, notes=notes)


def _is_list(name: str) -> bool:
    return re.fullmatch(r".*chest_x_ray_images_labels_160k.*\.csv", name) is not None


def _findings(text: str) -> str | None:
    """Return the findings of a list as Python writes it, joined; None if the text is none."""
    if text == "" or text.lower() == "nan":
        return ""
    try:
        names = ast.literal_eval(text) if len(text) <= _LONGEST else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    stripped = [name.strip() for name in names]
    return SEPARATOR.join(dict.fromkeys(name for name in stripped if name))


def _ages(table: Table) -> pd.Series:
    """Return the age in whole years at the study, "" where a date is unknown."""
    born = pd.to_numeric(table.text("patientbirth").str[:4], errors="coerce")
    studied = pd.to_numeric(table.text("studydatedicom").str[:4], errors="coerce")
    years = (studied - born).tolist()
    return pd.Series([str(int(value)) if math.isfinite(value) else "" for value in years], dtype=object)
