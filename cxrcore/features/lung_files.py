"""The lungs of image files as mask files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cxrcore.data import dicom, images
from cxrcore.data.archive import File
from cxrcore.data.errors import ImageError
from cxrcore.data.file_tree import absolute, open_file_tree
from cxrcore.errors import UserError
from cxrcore.features import lung_segmenter
from cxrcore.files import csv_text, write_bytes, write_text
from cxrcore.progress import Progress, ignore

TABLE = "lungs.csv"
_SUFFIXES = images.SUFFIXES | dicom.SUFFIXES


@dataclass(frozen=True)
class LungFiles:
    """What `write` wrote: `table` has a row for each image, see `write`; `masks` and `accepted` count them."""

    table: pd.DataFrame
    masks: int
    accepted: int


def write(paths: Sequence[Path], folder: Path, progress: Progress = ignore) -> LungFiles:
    """Write the lungs of each image as a one-bit PNG of the image's size into a folder, and a table.

    A mask is named after its image, in the same subfolders: `a/b.jpg` below a given folder has `a/b.png`; where two
    images would have the same, the later one keeps its suffix: `a/b.jpg.png`, and further ones are numbered. The
    table, `lungs.csv`, has the columns `image`, `mask`, `accepted` (whether the mask passed the segmenter's check),
    `confidence`, `right_share` and `left_share` of the image's area, and `problem`: why the mask was refused, or the
    image could not be read.

    Args:
        paths: images, folders with images, ZIPs.
        folder: may be new.
        progress: called after every image.

    Raises:
        UserError: no such path, no image in it, or the folder cannot be written to.
    """
    files = _files(paths, absolute(folder))
    if not files:
        raise UserError("There is no image in {paths}.", paths=", ".join(map(str, paths)))
    rows, names = [], set[str]()
    for number, (name, file) in enumerate(files, start=1):
        mask = _free(name, names)
        names.add(mask)
        rows.append({"image": name} | _written(file, folder, mask))
        progress(number, len(files))
    table = pd.DataFrame(rows)
    write_text(folder / TABLE, csv_text(table))
    return LungFiles(table, int((table["mask"] != "").sum()), int(table["accepted"].sum()))


def _free(name: str, taken: set[str]) -> str:
    """Return the name of the mask of an image that no other mask has."""
    numbered = (f"{name} ({number}).png" for number in count(2))
    return next(
        mask for mask in chain((str(Path(name).with_suffix(".png")), f"{name}.png"), numbered) if mask not in taken
    )


def _files(paths: Sequence[Path], left_out: Path) -> list[tuple[str, File]]:
    found: list[tuple[str, File]] = []
    for path in map(absolute, paths):
        if path.is_file() and path.suffix.lower() not in (".zip", ".csv"):
            inside = {path.name: open_file_tree(path.parent).files[path.name]}
        else:
            inside = dict(open_file_tree(path).files)
        found += [(name, file) for name, file in inside.items() if Path(name).suffix.lower() in _SUFFIXES]
    return [(name, file) for name, file in found if not (file.path and file.path.is_relative_to(left_out))]


def _written(file: File, folder: Path, mask: str) -> dict[str, object]:
    nothing = {"mask": "", "accepted": False, "confidence": 0.0, "right_share": 0.0, "left_share": 0.0}
    try:
        grey = images.decode(file.read()).grey()
    except ImageError as error:
        return nothing | {"problem": str(error.message)}
    found = lung_segmenter.segment(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)[None])[0]
    write_bytes(folder / mask, images.png(enlarged(found.mask, grey.shape)))
    return {
        "mask": mask,
        "accepted": not found.refused,
        "confidence": round(found.confidence, 4),
        "right_share": round(float(found.right.mean()), 4),
        "left_share": round(float(found.left.mean()), 4),
        "problem": found.refused,
    }


def enlarged(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a mask, boolean (h, w), at another shape (H, W), with smooth outlines."""
    larger = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(larger > 0.5)
