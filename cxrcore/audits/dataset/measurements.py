"""The statistics of a dataset's images in use: those of the import, and those that are still missing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.data import dataset
from cxrcore.data.errors import ImageError
from cxrcore.data.image_statistics import SCORES, STATISTICS, measure, parallel
from cxrcore.data.images import open_rgb
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.errors import DamagedFileError
from cxrcore.i18n import N_
from cxrcore.progress import StageProgress
from cxrcore.schema import read_table, write_table

STAGE = {"measuring": N_("Measuring images")}
Statistics = dict[str, str | float]
_UNREADABLE: Statistics = {
    "pixels": "",
    "hashes": "00" * (CROPS * BITS // 8),
    **dict.fromkeys([*STATISTICS, *SCORES], np.nan),
}


def load_or_measure(data: dataset.Dataset, progress: StageProgress) -> pd.DataFrame:
    """Return one row for each row of `data.usable`, in its order; columns as in `image_statistics.measure`.

    An image that cannot be read has missing values. New statistics are kept with the dataset.
    """
    table, path = data.usable, data.folder / dataset.MEASURES
    try:
        known, _ = read_table(path)
    except (FileNotFoundError, DamagedFileError):
        known = pd.DataFrame()
    missing = table[~table["sha256"].isin(known.index)].drop_duplicates("sha256")
    if len(missing):
        measured = pd.DataFrame(_measure(missing["path"].tolist(), progress), index=pd.Index(missing["sha256"]))
        known = pd.concat([known, measured])
        write_table(path, known[known["mean"].notna()], index=True)
    return known.loc[table["sha256"]].reset_index(drop=True)


def missing_files(data: dataset.Dataset) -> int:
    """Return how many images in use have no file any more."""
    return sum(not Path(path).is_file() for path in data.usable["path"])


def _measure(paths: Sequence[str], progress: StageProgress) -> list[Statistics]:
    found: list[Statistics] = []
    with parallel(_measure_one, paths) as results:
        for statistics in results:
            found.append(statistics)
            progress("measuring", len(found), len(paths))
    return found


def _measure_one(path: str) -> Statistics:
    try:
        return measure(open_rgb(Path(path)))
    except ImageError:
        return _UNREADABLE
