"""Deletion and insertion curves (Petsiuk et al. 2018, arXiv:1806.07421): do the highest cells of a heatmap matter?

Deletion blurs the image from the map's highest cell to its lowest: a faithful map lowers the probability early.
Insertion restores it in the same order: a faithful map raises the probability early. Both are areas under the
probability of the explained class over the share of the image that is changed, 0 to 1.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from cxrcore.explain.overlay import resize

CELLS, STEPS = 16, 4
Probabilities = Callable[[np.ndarray], np.ndarray]


def curves(probabilities: Probabilities, pixels: np.ndarray, heatmaps: Sequence[np.ndarray], target: int) -> np.ndarray:
    """Return the curves of each heatmap, (n, 2, STEPS + 1) of deletion and insertion: the probability of the explained
    class at the shares 0, 1 / STEPS, ..., 1 of the image.

    An altered image that several heatmaps give, as the image itself, passes the model once.

    Args:
        probabilities: of raw pixels uint8 (n, size, size, 3), (n, classes).
        pixels: the image, uint8 (size, size, 3).
        heatmaps: each float (h, w), at least 0.
        target: index of the explained class.
    """
    blurred = cv2.GaussianBlur(pixels, (0, 0), len(pixels) / 12)
    kept: dict[bytes, int] = {}  # where the cells that are left as they are: the number of the altered image
    numbers = np.empty((len(heatmaps), 2, STEPS + 1), int)
    for map_number, heatmap in enumerate(heatmaps):
        cells = resize(heatmap, CELLS, CELLS).ravel()
        order = np.argsort(-cells, kind="stable")
        for step in range(STEPS + 1):
            inside = np.zeros(len(cells), bool)
            inside[order[: round(step / STEPS * len(cells))]] = True
            for kind, left in enumerate((~inside, inside)):
                numbers[map_number, kind, step] = kept.setdefault(left.tobytes(), len(kept))
    images = [_altered(pixels, blurred, np.frombuffer(left, bool)) for left in kept]
    return np.asarray(probabilities(np.stack(images))[:, target][numbers])


def areas(curves: np.ndarray) -> np.ndarray:
    """Return the area under each curve (..., STEPS + 1), 0 to 1, by the trapezoidal rule: low is good for deletion,
    high for insertion.
    """
    return np.asarray(np.trapezoid(curves, dx=1 / STEPS))


def random_map(rng: np.random.Generator) -> np.ndarray:
    """Return a random heatmap, as coarse as those of a deep layer: float32 (7, 7)."""
    return rng.random((7, 7), dtype=np.float32)


def _altered(pixels: np.ndarray, blurred: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return the image with the cells `left`, boolean (CELLS * CELLS,), and all others blurred."""
    cells = left.reshape(CELLS, CELLS).astype(np.uint8)
    mask = cv2.resize(cells, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.where(mask[..., None].astype(bool), pixels, blurred)
