"""Heatmaps of cropped images, mapped back to the frame of the whole image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.explain.overlay import resize
from cxrcore.features import extract, image_transforms
from cxrcore.features.image_transforms import Box

SIDE = 48  # smallest side of a heatmap in the whole frame


def boxes(table: pd.DataFrame, image_transform: str, size: int) -> list[Box]:
    """Return what an image transform leaves of the frame of each image of a table at an input size, see
    `image_transforms.boxes`.
    """
    paths = [Path(path) for path in table["path"]]
    return [box for pixels in extract.batches(paths, size) for box in image_transforms.boxes(pixels, image_transform)]


def uncrop(heatmaps: np.ndarray, crops: Sequence[Box]) -> np.ndarray:
    """Return heatmaps (n, k, h, w) of cropped images as (n, k, S, S) of the whole images, 0 outside the crop.

    S is the heatmaps' longer side, but at least `SIDE`.
    """
    side = max(SIDE, *heatmaps.shape[2:])
    whole = np.zeros((*heatmaps.shape[:2], side, side), np.float32)
    for maps, target, box in zip(heatmaps, whole, crops, strict=True):
        top, bottom, left, right = (round(share * side) for share in box)
        for number, heatmap in enumerate(maps):
            target[number, top:bottom, left:right] = resize(heatmap, bottom - top, right - left)
    return whole
