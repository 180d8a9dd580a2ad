"""Does what a heatmap points at matter? Deletion and insertion curves (Petsiuk et al. 2018, arXiv:1806.07421).

Deletion blurs the image away from the map's highest cell to its lowest: a true map makes the probability fall early.
Insertion brings it back in the same order: a true map makes it rise early. Both are areas under the probability of
the explained class over the share of the image that is changed, 0 to 1.
"""

from collections.abc import Callable

import cv2
import numpy as np

from cxrcore.explain.overlay import enlarge

CELLS, STEPS = 16, 10
Probabilities = Callable[[np.ndarray], np.ndarray]


def areas(ask: Probabilities, pixels: np.ndarray, heatmap: np.ndarray, target: int) -> tuple[float, float]:
    """Return (deletion, insertion), each 0 to 1: low is good for the first, high for the second.

    Args:
        ask: raw pixels uint8 (n, size, size, 3) to probabilities (n, classes).
        pixels: the image, uint8 (size, size, 3).
        heatmap: float (h, w), at least 0.
        target: the class that is explained.
    """
    blurred = cv2.GaussianBlur(pixels, (0, 0), len(pixels) / 12)
    deleted, inserted = [], []
    for share in np.linspace(0, 1, STEPS + 1):
        mask = _highest(heatmap, share, len(pixels))
        deleted.append(np.where(mask, blurred, pixels))
        inserted.append(np.where(mask, pixels, blurred))
    found = ask(np.stack(deleted + inserted))[:, target]
    return _area(found[: STEPS + 1]), _area(found[STEPS + 1 :])


def random_map(rng: np.random.Generator) -> np.ndarray:
    """Return a map that knows nothing, as coarse as those of a deep layer: float32 (7, 7)."""
    return rng.random((7, 7), dtype=np.float32)


def _highest(heatmap: np.ndarray, share: float, size: int) -> np.ndarray:
    """Return where the highest `share` of the cells is, boolean (size, size, 1)."""
    cells = enlarge(heatmap, CELLS, CELLS).ravel()
    chosen = np.zeros(CELLS * CELLS, np.uint8)
    chosen[np.argsort(-cells, kind="stable")[: round(share * len(cells))]] = 1
    large = cv2.resize(chosen.reshape(CELLS, CELLS), (size, size), interpolation=cv2.INTER_NEAREST)
    return large[..., None].astype(bool)


def _area(values: np.ndarray) -> float:
    return float(np.trapezoid(values, dx=1 / STEPS))
