"""How many images were identified, left out, included and split, as in the flow diagram of CONSORT and STARD."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from cxrcore.data.dataset import PARTS, Dataset


@dataclass(frozen=True)
class PartCount:
    """The images and patients of one part of a split."""

    images: int
    patients: int


@dataclass(frozen=True)
class ImageFlow:
    """The way of the images into the parts of a split.

    Attributes:
        included: images in use by class, in the order of the classes.
        left_out: images by code of `exclusions.KINDS`, the most frequent first.
        parts: the parts that hold images, by code of `PARTS`; empty where there is no single split.
    """

    included: Mapping[str, int]
    left_out: Mapping[str, int]
    parts: Mapping[str, PartCount] = field(default_factory=dict)

    @property
    def in_use(self) -> int:
        """The number of images included."""
        return sum(self.included.values())

    @property
    def excluded(self) -> int:
        """The number of images left out."""
        return sum(self.left_out.values())

    @property
    def identified(self) -> int:
        """The number of images before any was left out."""
        return self.in_use + self.excluded


def of_dataset(data: Dataset, parts: pd.Series | None = None) -> ImageFlow:
    """Return the flow of a dataset; `parts` is the part of each row of `data.usable`, None where no split is possible.

    The images that the source puts into no part ("") are in none.
    """
    split = {} if parts is None else count_parts(parts, data.usable["patient"])
    return ImageFlow(data.counts(), data.left_out_counts(), split)


def count_parts(parts: pd.Series, patients: pd.Series) -> dict[str, PartCount]:
    """Return the images and patients of each part that holds some, in the order of `PARTS`."""
    counted = patients.groupby(parts.to_numpy()).agg(["size", "nunique"])
    return {
        part: PartCount(int(counted.loc[part, "size"]), int(counted.loc[part, "nunique"]))
        for part in PARTS
        if part in counted.index
    }
