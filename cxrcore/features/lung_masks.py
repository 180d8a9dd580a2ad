"""The lungs of images: from mask files where every image has one, else from the segmenter where it can be believed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrcore.features import extract, lungs
from cxrcore.language import said


def of(table: pd.DataFrame, pixels: np.ndarray) -> list[np.ndarray | None]:
    """Return the lungs of each row, boolean (H, W), or None where they cannot be believed.

    Args:
        table: with the column `lungs`, mask files or "".
        pixels: of the same images, uint8 (n, size, size, 3).
    """
    if files := extract.masks_of(table):
        return list(files)
    masks, doubts = lungs.segment(pixels)
    return [None if doubt else mask for mask, doubt in zip(masks, doubts, strict=True)]


def origin(table: pd.DataFrame, found: Sequence[np.ndarray | None]) -> str:
    """Return in words where lungs come from."""
    if (table["lungs"] != "").all():
        return said("mask files")
    return said(
        "the studio's own segmenter, which found lungs that can be believed in {n} of {of} images",
        n=sum(mask is not None for mask in found), of=len(found),
    )  # fmt: skip
