"""Blocks of images, each the work of one task on a cluster."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from cxrcore import __version__, settings
from cxrcore.errors import UserError
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.features.weights import Weights

# About a minute with the slowest backbone; what is computed is written more often.
MOST = 256


@dataclass(frozen=True)
class Block:
    """Images whose activations are computed for one key, or for several that differ in the tap only.

    Attributes:
        keys: of the activations.
        weights: of the backbone, as the machine that asks has them.
        rows: the images, with the index SHA-256, `path`, and `lungs` where there are masks. They are not in the text of
            a block, which Dask logs, as names of files may tell of patients.
        home: the workspace.
        features: the folder of the activations of the first key.
        version: of this program.
    """

    keys: tuple[FeatureKey, ...]
    weights: Weights
    rows: pd.DataFrame = field(repr=False)
    home: Path
    features: Path
    version: str = __version__

    def split(self, at_once: int, multiple: int) -> Iterator["Block"]:
        """Yield blocks of at most `MOST` images, smaller ones where there would be fewer than four for each of
        `at_once` workers. All but the last are a multiple of `multiple`.
        """
        wanted = min(MOST, -(-len(self.rows) // (4 * max(1, at_once))))
        size = -(-wanted // multiple) * multiple
        for start in range(0, len(self.rows), size):
            yield replace(self, rows=self.rows.iloc[start : start + size])

    def check_worker(self) -> None:
        """Raise `UserError` on a worker that would compute something else, or write to another folder."""
        if self.version != __version__:
            raise UserError(
                "The worker on {machine} has version {theirs} of this program, not {ours}.",
                machine=platform.node(),
                theirs=__version__,
                ours=self.version,
            )
        if self.home != settings.home():
            raise UserError(
                "The worker on {machine} uses the workspace {theirs}, not {ours}. Start all workers with "
                "CXR_HOME={ours}.",
                machine=platform.node(),
                theirs=settings.home(),
                ours=self.home,
            )
        if self.features != (theirs := Store(self.keys[0]).folder):
            raise UserError(
                "The worker on {machine} keeps features in {theirs}, not {ours}. Start all workers with the same "
                "CXR_FEATURES_DIR and CXR_HALF_PRECISION.",
                machine=platform.node(),
                theirs=theirs,
                ours=self.features,
            )


def block(keys: Sequence[FeatureKey], weights: Weights, rows: pd.DataFrame) -> Block:
    """Return all `rows`, with the index SHA-256, as one block in this workspace."""
    return Block(tuple(keys), weights, rows.filter(items=["path", "lungs"]), settings.home(), Store(keys[0]).folder)
