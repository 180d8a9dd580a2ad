"""Burned-in text near the borders of an image: the longest row of letter-like shapes."""

import cv2
import numpy as np

SIDE = 512  # the longer side after resizing
ZONE = 0.18  # share of each side that counts as border
_MOST = 400  # shapes; more of them are texture
_KERNEL = cv2.getStructuringElement(cv2.MORPH_RECT, (13, 13))


def longest_row(grey: np.ndarray) -> int:
    """Return how many letter-like shapes are in one row in the border zone of uint8 (H, W); 0 if none.

    Bright strokes thinner than 13 pixels (a top-hat) of the size and fill of letters, each beside the last at the
    same height with a gap below a letter's height. A lone L or R gives 1.
    """
    height, width = grey.shape
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)
    strokes = (cv2.morphologyEx(small, cv2.MORPH_TOPHAT, _KERNEL) > 70).astype(np.uint8)
    above, beside = (int(side * ZONE) for side in small.shape)
    strokes[above : small.shape[0] - above, beside : small.shape[1] - beside] = 0
    _, _, shapes, centres = cv2.connectedComponentsWithStats(strokes, connectivity=8, ltype=cv2.CV_16U)
    left, w, h, area = (shapes[1:, k] for k in (0, 2, 3, 4))
    fill = area / np.maximum(w * h, 1)
    letter = (h >= 5) & (h <= 30) & (w >= 2) & (w <= 30) & (area >= 8) & (fill > 0.2) & (fill < 0.9)
    kept = np.flatnonzero(letter)[:_MOST]
    return _longest_chain(left[kept], w[kept], h[kept], centres[1:][kept, 1])


def _longest_chain(left: np.ndarray, width: np.ndarray, height: np.ndarray, row: np.ndarray) -> int:
    if not len(left):
        return 0
    gap = left[None, :] - (left + width)[:, None]
    taller = np.maximum(height[:, None], height[None, :])
    alike = np.minimum(height[:, None], height[None, :]) > 0.6 * taller
    follows = alike & (gap >= -1) & (gap < taller) & (np.abs(row[None, :] - row[:, None]) < 0.35 * taller)
    length = np.ones(len(left), int)
    follows &= left[:, None] < left[None, :]
    linked = np.flatnonzero(follows.any(axis=0))
    for k in linked[np.argsort(left[linked], kind="stable")]:
        length[k] = 1 + length[follows[:, k]].max()
    return int(length.max())
