"""The statistics of images: those that a dataset keeps since its import, and those that are still missing."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.data import dataset
from cxrcore.data.errors import ImageError
from cxrcore.data.image_statistics import SCORES, STATISTICS, measure, packed, parallel
from cxrcore.data.images import Upload, open_rgb, read
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.errors import DamagedFileError
from cxrcore.i18n import N_
from cxrcore.progress import Progress, StageProgress, of_stage
from cxrcore.schema import BATCH, read_batches, table_writer

STAGE = {"measuring": N_("Measuring images")}
NUMBERS = ["pixels", *STATISTICS, *SCORES]
_ALL = ["pixels", "hashes", *STATISTICS, *SCORES]  # hashes are larger than all others together
Statistics = dict[str, str | float]
_UNREADABLE: Statistics = {"pixels": "", "hashes": "", **dict.fromkeys([*STATISTICS, *SCORES], np.nan)}


def load_or_measure(data: dataset.Dataset, progress: StageProgress) -> pd.DataFrame:
    """Return one row for each row of `data.usable`, in its order; see `of_table`."""
    return of_table(data.usable, data.folder / dataset.MEASURES, of_stage(progress, "measuring"))


def of_table(table: pd.DataFrame, file: Path, progress: Progress) -> pd.DataFrame:
    """Return one row for each row of `table`, in its order; columns as in `image_statistics.measure`, without `hashes`.

    An image whose file is missing, unreadable or has changed has missing values, "" for `pixels`.

    Args:
        table: images, with `path` and `sha256`.
        file: what was measured before, by SHA-256; new statistics are added to it.
        progress: called while images are measured.
    """
    known = [pd.DataFrame(columns=NUMBERS)]
    try:
        known += read_batches(file, NUMBERS)
    except (FileNotFoundError, DamagedFileError):
        known = known[:1]
    is_known = np.zeros(len(table), bool)
    for rows in known:
        is_known |= table["sha256"].isin(rows.index).to_numpy()
    if not is_known.all():
        known += _added(table[~is_known].drop_duplicates("sha256"), file, len(known) > 1, progress)
    found = pd.concat([rows for rows in known if len(rows)]) if len(table) else known[0]
    return found.loc[table["sha256"]].reset_index(drop=True)


def hashes_of(table: pd.DataFrame, file: Path) -> np.ndarray:
    """Return the perceptual hashes of the images of `table`, uint8 (n, CROPS, BITS / 8), in its order.

    Args:
        table: images, with `sha256`, for which `of_table` was called.
        file: the same as given to it. An image that is not in it, as it could not be read, has zeros.
    """
    found = np.zeros((len(table), CROPS, BITS // 8), np.uint8)
    images, place = np.unique(table["sha256"].to_numpy(object), return_inverse=True)
    of_image = np.zeros((len(images), *found.shape[1:]), np.uint8) if len(images) < len(table) else found
    rows = pd.Index(images)
    with suppress(FileNotFoundError):
        for batch in read_batches(file, ["hashes"]):
            row = rows.get_indexer(batch.index)
            of_image[row[row >= 0]] = packed(batch["hashes"][row >= 0])
    return of_image[place]


def _added(missing: pd.DataFrame, file: Path, has_more: bool, progress: Progress) -> list[pd.DataFrame]:
    """Measure images and add the statistics of those that can be read to a file; return those of all, in parts."""
    parts: list[pd.DataFrame] = []
    with ExitStack() as stack:
        write: Callable[[pd.DataFrame], None] | None = None
        for start in range(0, len(missing), BATCH):
            some = missing.iloc[start : start + BATCH]
            found = _measure(some, start, len(missing), progress)
            measured = pd.DataFrame(found, index=some["sha256"].to_numpy(), columns=_ALL)
            parts.append(measured[NUMBERS])
            readable = measured[measured["mean"].notna()]
            if readable.empty:
                continue
            if write is None:
                write = stack.enter_context(table_writer(file))
                for rows in read_batches(file, _ALL) if has_more else []:
                    write(rows.rename_axis(None))
            write(readable)
    return parts


def missing_files(data: dataset.Dataset) -> int:
    """Return how many images in use have no file any more."""
    return sum(not Path(path).is_file() for path in data.usable["path"])


def _measure(table: pd.DataFrame, before: int, total: int, progress: Progress) -> list[Statistics]:
    images: Sequence[tuple[str, str]] = list(zip(table["path"], table["sha256"], strict=True))
    found: list[Statistics] = []
    with parallel(_measure_one, images) as results:
        for statistics in results:
            found.append(statistics)
            progress(before + len(found), total)
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
