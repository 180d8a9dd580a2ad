"""Heatmaps of cropped images, back in the frame of the whole image: where every page shows them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.explain.overlay import enlarge
from cxrcore.features import extract, image_transforms, lung_segmenter
from cxrcore.features.image_transforms import Box

SIDE = 48  # cells of a map in the whole frame, at least


def boxes(table: pd.DataFrame, cleaning: str) -> list[Box]:
    """Return what a cleaning leaves of the frame of each image of a table, see `alterations.boxes`."""
    paths = [Path(path) for path in table["path"]]
    return [
        found
        for pixels in extract.batches(paths, lung_segmenter.SIZE)
        for found in image_transforms.boxes(pixels, cleaning)
    ]


def uncropped(heatmaps: np.ndarray, found: Sequence[Box]) -> np.ndarray:
    """Return heatmaps (n, k, h, w) of cropped images as (n, k, S, S) of the whole ones, 0 outside the crop.

    S is the maps' longer side, but at least `SIDE`.
    """
    side = max(SIDE, *heatmaps.shape[2:])
    whole = np.zeros((*heatmaps.shape[:2], side, side), np.float32)
    for maps, target, box in zip(heatmaps, whole, found, strict=True):
        top, bottom, left, right = (round(share * side) for share in box)
        for number, heatmap in enumerate(maps):
            target[number, top:bottom, left:right] = enlarge(heatmap, bottom - top, right - left)
    return whole
