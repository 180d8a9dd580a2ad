"""Blocks of images, each the work of one task on a cluster."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from cxrcore.features.key import FeatureKey
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
    """

    keys: tuple[FeatureKey, ...]
    weights: Weights
    rows: pd.DataFrame = field(repr=False)

    def split(self, at_once: int, multiple: int) -> Iterator["Block"]:
        """Yield blocks of at most `MOST` images, smaller ones where there would be fewer than four for each of
        `at_once` workers. All but the last are a multiple of `multiple`.
        """
        wanted = min(MOST, -(-len(self.rows) // (4 * max(1, at_once))))
        size = -(-wanted // multiple) * multiple
        for start in range(0, len(self.rows), size):
            yield replace(self, rows=self.rows.iloc[start : start + size])


def block(keys: Sequence[FeatureKey], weights: Weights, rows: pd.DataFrame) -> Block:
    """Return all `rows`, with the index SHA-256, as one block."""
    return Block(tuple(keys), weights, rows.filter(items=["path", "lungs"]))
