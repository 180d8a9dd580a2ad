"""The COVID-19 Radiography Database, and others of its layout: a folder of each class with `images/` and `masks/`.

The images have no patients: each counts as one of its own. The spreadsheets beside the folders are not read.
"""

from collections import defaultdict

from cxrcore.data.classes import MOST, NO_FOLDER, key
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import lists, masks
from cxrcore.data.readers.base import NO_CITATION, SPLIT_NAMES, Reading, located, rows
from cxrcore.messages import msg

_CLASSES = {"covid", "lungopacity", "normal", "viralpneumonia"}  # as `classes.key` gives them
CITATION = (
    "Chowdhury MEH et al. Can AI Help in Screening Viral and COVID-19 Pneumonia?, IEEE Access 8:132665, 2020, "
    "doi:10.1109/ACCESS.2020.3010287; Rahman T et al. Exploring the Effect of Image Enhancement Techniques on "
    "COVID-19 Detection Using Chest X-ray Images, Comput Biol Med 132:104319, 2021, "
    "doi:10.1016/j.compbiomed.2021.104319. The images stay under the licences of the sets that they come from."
)


def places(tree: FileTree) -> list[str]:
    """Return the folders in `tree` that have this layout: 2 to `MOST` folders with images/, at least one with masks."""
    of_masks = masks.names(tree)
    with_images: dict[str, set[str]] = defaultdict(set)
    with_masks: dict[str, set[str]] = defaultdict(set)
    for folder, is_mask in {(lists.parent(name), name in of_masks) for name in tree.files}:
        class_folder, _, own = folder.rpartition("/")
        if is_mask:
            with_masks[lists.parent(class_folder)].add(class_folder)
        elif class_folder and own.lower() in masks.IMAGE_FOLDERS:
            with_images[lists.parent(class_folder)].add(class_folder)
    return sorted(place for place, found in with_images.items() if _is_set(found) and found & with_masks[place])


def read(tree: FileTree, folder: str) -> Reading:
    """Return every image below `folder` with the class folder that it is in."""
    source = lists.source(tree, folder)
    above = [tree.name, *folder.split("/")]
    part = next((SPLIT_NAMES[name.lower()] for name in reversed(above) if name.lower() in SPLIT_NAMES), "")
    start = len(lists.join(folder, ""))
    records = []
    for name in lists.images(tree, folder):
        finding, _, inside = name[start:].partition("/")
        known = {"finding": finding if inside else NO_FOLDER, "source": source, "given_split": part}
        records.append(located(tree, name) | known)
    is_published = {key(str(record["finding"])) for record in records} >= _CLASSES
    citation = msg("If this is the COVID-19 Radiography Database: {citation}", citation=CITATION)
    return Reading("radiography", tree.origin, rows(records), citation if is_published else NO_CITATION)


def _is_set(class_folders: set[str]) -> bool:
    names = {folder.rpartition("/")[2].lower() for folder in class_folders}
    return 2 <= len(names) <= MOST and not names & SPLIT_NAMES.keys()
