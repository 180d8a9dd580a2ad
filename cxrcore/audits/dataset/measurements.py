"""The measures of a dataset's images in use: those made at the import, and what is still missing."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.data import dataset
from cxrcore.data.image_statistics import SCORES, STATISTICS, measure
from cxrcore.data.images import ImageError, open_rgb
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.files import atomic_path

Progress = Callable[[str, int, int], None]
_NOTHING = {"pixels": "", "hashes": "00" * (CROPS * BITS // 8)} | dict.fromkeys([*STATISTICS, *SCORES], np.nan)


def of(data: dataset.Dataset, progress: Progress) -> pd.DataFrame:
    """Return one row for each row of `data.usable`, in its order; see `data.measures` for the columns.

    An image that cannot be read has no values. What had to be measured is kept with the dataset.
    """
    table, path = data.usable, data.folder / dataset.MEASURES
    known = pd.read_parquet(path) if path.is_file() else pd.DataFrame()
    missing = table[~table["sha256"].isin(known.index)].drop_duplicates("sha256")
    if len(missing):
        measured = pd.DataFrame(_measure(missing["path"].tolist(), progress), index=pd.Index(missing["sha256"]))
        known = pd.concat([known, measured])
        with atomic_path(path) as temporary:
            known[known["mean"].notna()].to_parquet(temporary)
    return known.loc[table["sha256"]].reset_index(drop=True)


def gone(data: dataset.Dataset) -> int:
    """Return how many images in use are no longer where they were."""
    return sum(not Path(path).is_file() for path in data.usable["path"])


def _measure(paths: Sequence[str], progress: Progress) -> list[dict]:
    found: list[dict] = []
    pool = ThreadPoolExecutor()
    try:
        for measures in pool.map(_one, paths):
            found.append(measures)
            progress("measuring", len(found), len(paths))
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def _one(path: str) -> dict:
    try:
        return measure(open_rgb(Path(path)))
    except ImageError:
        return _NOTHING
