"""Heatmaps of cropped images, back in the frame of the whole image: where every page shows them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.explain.overlay import enlarge
from cxrcore.features import alterations, extract, lungs

CROP = "crop"
SIDE = 48  # cells of a map in the whole frame
Box = tuple[float, float, float, float]


def boxes(table: pd.DataFrame) -> list[Box]:
    """Return what the cleaning `crop` leaves of each image of a table, see `alterations.boxes`."""
    paths = [Path(path) for path in table["path"]]
    return [found for pixels in extract.batches(paths, lungs.SIZE) for found in alterations.boxes(pixels)]


def uncropped(heatmaps: np.ndarray, found: Sequence[Box]) -> np.ndarray:
    """Return heatmaps (n, k, h, w) of cropped images as (n, k, SIDE, SIDE) of the whole ones, 0 outside the crop."""
    whole = np.zeros((*heatmaps.shape[:2], SIDE, SIDE), np.float32)
    for maps, target, box in zip(heatmaps, whole, found, strict=True):
        top, bottom, left, right = (round(share * SIDE) for share in box)
        for number, heatmap in enumerate(maps):
            target[number, top:bottom, left:right] = enlarge(heatmap, bottom - top, right - left)
    return whole
