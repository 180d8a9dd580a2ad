"""Deletion and insertion curves (Petsiuk et al. 2018, arXiv:1806.07421): do the highest cells of a heatmap matter?

Deletion blurs the image from the map's highest cell to its lowest: a faithful map lowers the probability early.
Insertion restores it in the same order: a faithful map raises the probability early. Both are areas under the
probability of the explained class over the share of the image that is changed, 0 to 1.
"""

from collections.abc import Callable

import cv2
import numpy as np

from cxrcore.explain.overlay import resize

CELLS, STEPS = 16, 10
Probabilities = Callable[[np.ndarray], np.ndarray]


def areas(probabilities: Probabilities, pixels: np.ndarray, heatmap: np.ndarray, target: int) -> tuple[float, float]:
    """Return the areas (deletion, insertion), each 0 to 1: low is good for the first, high for the second.

    Args:
        probabilities: of raw pixels uint8 (n, size, size, 3), (n, classes).
        pixels: the image, uint8 (size, size, 3).
        heatmap: float (h, w), at least 0.
        target: index of the explained class.
    """
    blurred = cv2.GaussianBlur(pixels, (0, 0), len(pixels) / 12)
    deleted, inserted = [], []
    for share in np.linspace(0, 1, STEPS + 1):
        mask = _highest(heatmap, share, len(pixels))
        deleted.append(np.where(mask, blurred, pixels))
        inserted.append(np.where(mask, pixels, blurred))
    curve = probabilities(np.stack(deleted + inserted))[:, target]
    return _area(curve[: STEPS + 1]), _area(curve[STEPS + 1 :])


def random_map(rng: np.random.Generator) -> np.ndarray:
    """Return a random heatmap, as coarse as those of a deep layer: float32 (7, 7)."""
    return rng.random((7, 7), dtype=np.float32)


def _highest(heatmap: np.ndarray, share: float, size: int) -> np.ndarray:
    """Return where the highest `share` of the cells is, boolean (size, size, 1)."""
    cells = resize(heatmap, CELLS, CELLS).ravel()
    chosen = np.zeros(CELLS * CELLS, np.uint8)
    chosen[np.argsort(-cells, kind="stable")[: round(share * len(cells))]] = 1
    large = cv2.resize(chosen.reshape(CELLS, CELLS), (size, size), interpolation=cv2.INTER_NEAREST)
    return large[..., None].astype(bool)


def _area(values: np.ndarray) -> float:
    return float(np.trapezoid(values, dx=1 / STEPS))
