"""The lungs of images: from mask files where every image of a dataset has one, else from the segmenter."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrcore.features import extract, lung_segmenter
from cxrcore.messages import Message, msg


def given(table: pd.DataFrame) -> bool:
    """Return whether every row names a mask file."""
    return bool((table["lungs"] != "").all())


def of(table: pd.DataFrame, pixels: np.ndarray, files: bool) -> list[np.ndarray | None]:
    """Return the lungs of each row, boolean (H, W), or None where they are not known.

    Args:
        table: with the column `lungs`, mask files or "".
        pixels: of the same images, uint8 (n, size, size, 3).
        files: whether to take them from files, see `given`.
    """
    if files:
        return extract.masks_of(table)
    masks, reasons = lung_segmenter.segment(pixels)
    return [None if reason else mask for mask, reason in zip(masks, reasons, strict=True)]


def origin(files: bool, known: Sequence[bool]) -> Message:
    """Return where lungs come from, and for how many images they are known."""
    values = {"n": int(np.sum(known)), "of": len(known)}
    if files:
        return msg("mask files, of {n} of {of} images", **values)
    return msg(
        "the bundled segmenter, which found plausible lungs in {n} of {of} images", **values
    )  # fmt: skip
