"""How age, sex, view and size are distributed within each class of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from cxrcore.i18n import N_

COLUMNS = {"age": N_("age"), "sex": N_("sex"), "view": N_("view"), "size": N_("longer side, pixels")}
OTHERS = "…"  # stands for the rarest values
_MOST = 8  # values of a column
_SIZES = (256, 512, 1024, 2048, 4096)  # pixels
_SEXES = ("F", "M", "O")


@dataclass(frozen=True)
class Distribution:
    """The values of one column, and the images of each class that have them.

    Attributes:
        values: what occurs, in the order in which it is drawn.
        counts: images by class, one number for each of `values`.
        unknown: share of all images without a value, 0 to 1.
    """

    values: list[str]
    counts: dict[str, list[int]]
    unknown: float

    def shares(self, name: str) -> list[float]:
        """Return the share of each value among the images of class `name` that have one, 0 to 1; of none, 0."""
        counts = np.array(self.counts[name])
        return [float(share) for share in counts / max(counts.sum(), 1)]

    def against_others(self, name: str, others: str) -> "Distribution":
        """Return the distribution of class `name`, and that of all others under the name `others`."""
        rest = np.sum([counts for other, counts in self.counts.items() if other != name], axis=0)
        return Distribution(self.values, {name: self.counts[name], others: [int(n) for n in rest]}, self.unknown)


def of_table(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Distribution]:
    """Return the distribution of each column of `COLUMNS` that has a value in a table of images in use."""
    columns = {name: table[name] for name in ("age", "sex", "view")} | {"size": _sizes(table)}
    return {name: _distribution(values, table["label"], classes) for name, values in columns.items() if values.any()}


def _distribution(values: pd.Series, labels: pd.Series, classes: Sequence[str]) -> Distribution:
    known = values != ""
    most = list(values[known].value_counts().index[:_MOST])
    merged = values[known].where(values[known].isin(most), OTHERS)
    crossed = pd.crosstab(merged, labels[known]).reindex(columns=list(classes), fill_value=0)
    order = sorted(crossed.index, key=_place)
    counts = {name: [int(n) for n in crossed.loc[order, name]] for name in classes}
    return Distribution([str(value) for value in order], counts, 1 - float(known.mean()))


def _place(value: str) -> tuple[int, float, str]:
    """Return what values are sorted by: bands of numbers by their start, sexes in order, others by name."""
    digits = value.lstrip("< ").replace("+", "-").partition("-")[0]
    if value == OTHERS:
        return 2, 0, value
    if value in _SEXES:
        return 0, _SEXES.index(value), value
    return (0, float(digits) - value.startswith("<"), value) if digits.isdigit() else (1, 0, value)


def _sizes(table: pd.DataFrame) -> pd.Series:
    """Return the band of the longer side in pixels as text, "" where the size is not known."""
    longest = np.maximum(table["width"], table["height"])
    labels = [f"< {_SIZES[0]}", *(f"{low}-{high - 1}" for low, high in pairwise(_SIZES))]
    bands = pd.cut(longest, [0, *_SIZES, np.inf], right=False, labels=[*labels, f"{_SIZES[-1]}+"])
    return bands.astype(str).where(longest > 0, "")
