"""The statistics of images: those that a dataset keeps since its import, and those that are still missing."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.data import dataset
from cxrcore.data.errors import ImageError
from cxrcore.data.image_statistics import SCORES, STATISTICS, measure, parallel
from cxrcore.data.images import Upload, open_rgb, read
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.errors import DamagedFileError
from cxrcore.i18n import N_
from cxrcore.progress import Progress, StageProgress, of_stage
from cxrcore.schema import read_table, write_table

STAGE = {"measuring": N_("Measuring images")}
Statistics = dict[str, str | float]
_UNREADABLE: Statistics = {
    "pixels": "",
    "hashes": "00" * (CROPS * BITS // 8),
    **dict.fromkeys([*STATISTICS, *SCORES], np.nan),
}


def load_or_measure(data: dataset.Dataset, progress: StageProgress) -> pd.DataFrame:
    """Return one row for each row of `data.usable`, in its order; see `of_table`."""
    return of_table(data.usable, data.folder / dataset.MEASURES, of_stage(progress, "measuring"))


def of_table(table: pd.DataFrame, file: Path, progress: Progress) -> pd.DataFrame:
    """Return one row for each row of `table`, in its order; columns as in `image_statistics.measure`.

    An image whose file is missing, unreadable or has changed has missing values, "" for `pixels`.

    Args:
        table: images, with `path` and `sha256`.
        file: what was measured before, by SHA-256; new statistics are added to it.
        progress: called while images are measured.
    """
    try:
        known, _ = read_table(file)
    except (FileNotFoundError, DamagedFileError):
        known = pd.DataFrame()
    missing = table[~table["sha256"].isin(known.index)].drop_duplicates("sha256")
    if len(missing):
        measured = pd.DataFrame(_measure(missing, progress), index=pd.Index(missing["sha256"]))
        known = pd.concat([known, measured])
        if measured["mean"].notna().any():
            write_table(file, known[known["mean"].notna()], index=True)
    return known.loc[table["sha256"]].reset_index(drop=True)


def missing_files(data: dataset.Dataset) -> int:
    """Return how many images in use have no file any more."""
    return sum(not Path(path).is_file() for path in data.usable["path"])


def _measure(table: pd.DataFrame, progress: Progress) -> list[Statistics]:
    images: Sequence[tuple[str, str]] = list(zip(table["path"], table["sha256"], strict=True))
    found: list[Statistics] = []
    with parallel(_measure_one, images) as results:
        for statistics in results:
            found.append(statistics)
            progress(len(found), len(images))
    return found


def _measure_one(image: tuple[str, str]) -> Statistics:
    path, digest = image
    try:
        content = read(Path(path))
        if hashlib.sha256(content).hexdigest() != digest:
            return _UNREADABLE
        return measure(open_rgb(Upload(path, content)))
    except ImageError:
        return _UNREADABLE
