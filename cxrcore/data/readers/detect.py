"""Choose the readers by the files in a tree."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import arrays, class_folders, covid_chestxray, table
from cxrcore.data.readers.base import Reading
from cxrcore.errors import UserError


def read(tree: FileTree, columns: Mapping[str, str] | None = None) -> list[Reading]:
    """Return the readings of `tree`: one for each known layout in it, and one for its other images.

    `columns` names the columns of a CSV by role (see `readers.table`).

    Raises:
        UserError: no layout in it that a reader knows.
    """
    readings = _given(tree, columns or {}) if tree.table else _found(tree, columns or {})
    if not readings:
        raise UserError(
            "No image was found in {origin}. Expected one of: metadata.csv beside images/ (the COVID "
            "collection), X_*.npy with Y_*.npy (the tutorials' arrays), a CSV of paths and labels, or "
            "folders named after classes, such as NORMAL/ and PNEUMONIA/, with DICOM, PNG, JPEG, TIFF or "
            "WebP files inside.",
            origin=tree.origin,
        )
    return readings


def _given(tree: FileTree, columns: Mapping[str, str]) -> list[Reading]:
    return [table.read(tree, tree.table, columns)]


def _found(tree: FileTree, columns: Mapping[str, str]) -> list[Reading]:
    collections, pairs = covid_chestxray.places(tree), arrays.pairs(tree)
    covered = [*collections, *(_folder(images) for images, _ in pairs)]
    lists = [name for name in table.tables(tree) if _folder(name) not in collections]
    readings = [covid_chestxray.read(tree, place) for place in collections]
    readings += [arrays.read(tree, images, labels) for images, labels in pairs]
    readings += [table.read(tree, name, columns) for name in lists]
    others = class_folders.read(tree, without=[*covered, *(_folder(name) for name in lists)])
    return readings if others.rows.empty else [*readings, others]


def _folder(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent
