"""Choose the reader by what lies in a folder."""

import os
from pathlib import Path

from cxrcore.data.readers import arrays, class_folders, covid_chestxray
from cxrcore.data.readers.base import Reading
from cxrcore.errors import UserError


def read(folder: Path) -> list[Reading]:
    """Return the readings of `folder`: one for each known layout in it, and one for its other images.

    Raises:
        UserError: no such folder, one too wide to search, or nothing in it that a reader knows.
    """
    folder = Path(os.path.expanduser(folder)).resolve()  # noqa: PTH111 - Path's own raises for an unknown user
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give the folder that holds the images.")
    if folder in (Path(folder.anchor), Path.home().resolve()):
        raise UserError(f"{folder} is too wide to search. Give the folder that holds the images.")
    readings = _find(folder)
    if not readings:
        raise UserError(
            f"No image was found in {folder}. Expected one of: metadata.csv beside images/ (the COVID "
            f"collection), X_*.npy with Y_*.npy (the tutorials' arrays), or folders named after classes, "
            f"such as NORMAL/ and PNEUMONIA/, with PNG, JPEG, TIFF or WebP files inside."
        )
    return readings


def _find(folder: Path) -> list[Reading]:
    collections = {file.parent for file in folder.rglob("metadata.csv") if covid_chestxray.matches(file.parent)}
    pairs = {file.parent for file in folder.rglob("X_*.npy") if arrays.matches(file.parent)}
    readings = [covid_chestxray.read(place) for place in sorted(collections)]
    readings += [arrays.read(place) for place in sorted(pairs)]
    others = class_folders.read(folder, without=collections | pairs)
    return readings if others.rows.empty else [*readings, others]
