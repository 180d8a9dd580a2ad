"""The lungs of images: from mask files where every image of a dataset has one, else from the segmenter."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.features import extract, lung_segmenter
from cxrcore.messages import Message, msg


def given(table: pd.DataFrame) -> bool:
    """Return whether every row names a mask file that is there."""
    return bool(_drawn(table).all())


def of(table: pd.DataFrame, pixels: np.ndarray, files: bool) -> list[np.ndarray | None]:
    """Return the lungs of each row, boolean (H, W), or None where they are not known.

    Args:
        table: with the column `lungs`, mask files or "".
        pixels: of the same images, uint8 (n, size, size, 3).
        files: whether to take them from files, see `given`.
    """
    if files:
        return extract.masks_of(table)
    return [None if found.refused else found.mask for found in lung_segmenter.segment(pixels)]


def drawn_first(table: pd.DataFrame, pixels: np.ndarray) -> tuple[list[np.ndarray | None], Message]:
    """Return the lungs of each row from its mask file, else from the segmenter, and where they come from.

    For measures of single images. Where classes are compared, all lungs must come from one place (see `of`): a
    difference between drawn and segmented lungs would tell the classes apart.
    """
    drawn = _drawn(table)
    if drawn.all() or not drawn.any():
        found = of(table, pixels, files=bool(drawn.all()))
        return found, origin(bool(drawn.all()), [mask is not None for mask in found])
    found = [None] * len(table)
    for rows, files in ((np.flatnonzero(drawn), True), (np.flatnonzero(~drawn), False)):
        for row, mask in zip(rows, of(table.iloc[rows].reset_index(drop=True), pixels[rows], files), strict=True):
            found[row] = mask
    known = np.array([mask is not None for mask in found])
    counts = {"drawn": int((known & drawn).sum()), "n": int((known & ~drawn).sum())}
    return found, msg("mask files of {drawn} images, the segmenter for {n} more", **counts)


def _drawn(table: pd.DataFrame) -> np.ndarray:
    """Return whether each row names a mask file that is there, boolean (n,); one may be deleted after the import."""
    return np.array([file != "" and Path(file).is_file() for file in table["lungs"]], bool)


def origin(files: bool, known: Sequence[bool]) -> Message:
    """Return where lungs come from, and for how many images they are known."""
    values = {"n": int(np.sum(known)), "of": len(known)}
    if files:
        return msg("mask files, of {n} of {of} images", **values)
    return msg(
        "the bundled segmenter, which found plausible lungs in {n} of {of} images", **values
    )  # fmt: skip
