"""Images of an external dataset that a run has already: the same pixels, or a copy of one of its images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore import settings
from cxrcore.data import dataset, measurements, near_duplicates, registration
from cxrcore.data.near_duplicates import NEAR_BITS, near_pairs_between
from cxrcore.i18n import N_
from cxrcore.progress import StageProgress, of_stage
from cxrcore.runs import Run

FOLDER = "evaluations"  # of the run
EXACT, NEAR = "exact", "near"
_OWN = "measuring own"
STAGES = (
    measurements.STAGE
    | {_OWN: N_("Measuring the run's images")}
    | near_duplicates.STAGE
    | {"confirming": N_("Comparing the pixels of similar images")}
)
# Pairs of more bits than NEAR_BITS, up to these, are copies if their pixels say so.
MOST_BITS = 24
_COLUMNS = ("path", "sha256", "label")


@dataclass(frozen=True)
class Duplicates:
    """What was found for n images of an external dataset.

    Attributes:
        exact: whether an image has the same pixels as one of the run's, boolean (n,).
        near: whether it is a copy of one, but not an exact one, boolean (n,).
        pairs: one row for each pair: `kind` (EXACT or NEAR), `external_` and `own_` with `path`, `sha256` and `label`,
            and `part`, that of the run's image. An exact duplicate has one pair.
        unmeasured: images of the run whose file is missing or changed; only identical files were looked for among them.
    """

    exact: np.ndarray
    near: np.ndarray
    pairs: pd.DataFrame
    unmeasured: int


def find(run: Run, data: dataset.Dataset, table: pd.DataFrame, progress: StageProgress) -> Duplicates:
    """Compare images of `data` with all images of a run: those of training, validation and test.

    What is not measured yet is measured and kept.

    Args:
        run: the run.
        data: the external dataset.
        table: rows of it, numbered from 0.
        progress: called with a stage of `STAGES`, images done and images in all.
    """
    own = run.table.reset_index(drop=True)
    file, own_file = data.folder / dataset.MEASURES, _own_file(run)
    measures = measurements.of_table(table, file, of_stage(progress, "measuring"))
    own_measures = measurements.of_table(own, own_file, of_stage(progress, _OWN))
    same = _row_of_equal(table["sha256"], own["sha256"])
    same = np.where(same >= 0, same, _row_of_equal(measures["pixels"], own_measures["pixels"]))
    others = np.flatnonzero(same < 0)
    hashes, own_hashes = measurements.hashes_of(table.iloc[others], file), measurements.hashes_of(own, own_file)
    pairs = copies(hashes, own_hashes, table["path"].iloc[others], own["path"], progress)
    a, b = np.array(pairs, int).reshape(-1, 2).T
    exact, near = same >= 0, np.zeros(len(table), bool)
    near[others[a]] = True
    listed = [
        _pairs(EXACT, table.iloc[np.flatnonzero(exact)], own.iloc[same[exact]]),
        _pairs(NEAR, table.iloc[others[a]], own.iloc[b]),
    ]
    return Duplicates(exact, near, pd.concat(listed, ignore_index=True), int((own_measures["pixels"] == "").sum()))


def copies(
    hashes: np.ndarray, own_hashes: np.ndarray, paths: pd.Series, own_paths: pd.Series, progress: StageProgress
) -> list[tuple[int, int]]:
    """Return the pairs (row of `hashes`, row of `own_hashes`) of which one image is a copy of the other, sorted.

    The hashes are those of `measurements.hashes_of`, with the path of each.
    """
    bits = near_pairs_between(hashes, own_hashes, progress, MOST_BITS)
    similar = [pair for pair, differing in bits.items() if differing > NEAR_BITS]
    files = [(str(paths.iloc[a]), str(own_paths.iloc[b])) for a, b in similar]
    confirmed = registration.are_same(files, of_stage(progress, "confirming"))
    other = {pair for pair, same in zip(similar, confirmed, strict=True) if not same}
    return [pair for pair in bits if pair not in other]


def _own_file(run: Run) -> Path:
    """Return the file for statistics of the run's images: the dataset's, or the run's own if that was deleted."""
    name = run.config.dataset
    folder = settings.datasets_folder() / name if dataset.exists(name) else run.folder / FOLDER
    return folder / dataset.MEASURES


def _row_of_equal(values: pd.Series, others: pd.Series) -> np.ndarray:
    """Return for each value the first row of `others` that has it, -1 for none; "" equals none. Integers (n,)."""
    first = others[others != ""].drop_duplicates()
    rows = pd.Series(first.index, index=first.to_numpy())
    return np.asarray(rows.reindex(values.to_numpy()).fillna(-1), int)


def _pairs(kind: str, external: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    columns = {f"external_{name}": external[name].to_numpy() for name in _COLUMNS}
    columns |= {f"own_{name}": own[name].to_numpy() for name in _COLUMNS}
    return pd.DataFrame({"kind": kind} | columns | {"part": own["split"].to_numpy()})
