"""Choose the reader by what lies in a folder."""

import os
from pathlib import Path

from cxrcore.data.readers import arrays, class_folders, covid_chestxray
from cxrcore.data.readers.base import Reading
from cxrcore.errors import UserError

_EXACT = (covid_chestxray, arrays)


def read(folder: Path) -> list[Reading]:
    """Return the readings of `folder`: one if it has a known layout, else those of its sub-folders.

    Raises:
        UserError: no such folder, or nothing in it that a reader knows.
    """
    folder = Path(os.path.expanduser(folder)).resolve()  # noqa: PTH111 - Path's own raises for an unknown user
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give the folder that holds the images.")
    readings = _find(folder)
    if not readings:
        raise UserError(
            f"No image was found in {folder}. Expected one of: metadata.csv beside images/ (the COVID "
            f"collection), X_*.npy with Y_*.npy (the tutorials' arrays), or folders named after classes, "
            f"such as NORMAL/ and PNEUMONIA/, with PNG, JPEG, TIFF or WebP files inside."
        )
    return readings


def _find(folder: Path) -> list[Reading]:
    for reader in _EXACT:
        if reader.matches(folder):
            return [reader.read(folder)]
    children = sorted(path for path in folder.iterdir() if path.is_dir())
    if any(reader.matches(child) for reader in _EXACT for child in children):
        return [reading for child in children for reading in _find(child)]
    return [class_folders.read(folder)] if class_folders.matches(folder) else []
