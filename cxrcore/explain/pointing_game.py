"""The pointing game: is the heatmap's peak inside a lesion? (Zhang et al. 2018, arXiv:1608.00507)."""

from collections.abc import Sequence

import cv2
import numpy as np

from cxrcore.data.images import known_mask
from cxrcore.explain.overlay import resize


def hits(heatmaps: np.ndarray, masks: Sequence[np.ndarray], tolerance: float = 0) -> np.ndarray:
    """Return bool (n,): whether the peak of each heatmap (n, h, w) lies inside its mask, boolean (H, W).

    A peak counts up to `tolerance` outside, a share of the longer side. A heatmap that is 0 everywhere has no peak: a
    miss.
    """
    return np.array([_hit(heatmap, near(mask, tolerance)) for heatmap, mask in zip(heatmaps, masks, strict=True)], bool)


def near(mask: np.ndarray, tolerance: float) -> np.ndarray:
    """Return where the distance to a mask, boolean (H, W), is at most `tolerance`, a share of the longer side."""
    if not tolerance or not mask.any():
        return mask
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside: np.ndarray = distance <= tolerance * max(mask.shape)
    return inside


def energy(heatmaps: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return float (n,), 0 to 1: the share of each heatmap (n, h, w) that lies inside its mask, boolean (H, W).

    Wang et al. 2020 (arXiv:1910.01279) call it the energy-based pointing game. NaN for a heatmap that is 0 everywhere.
    """
    return np.array([_share(heatmap, mask) for heatmap, mask in zip(heatmaps, masks, strict=True)], float)


def read_masks(paths: Sequence[str]) -> list[np.ndarray | None]:
    """Return the mask files as boolean arrays (H, W), None for one that is missing, damaged or empty."""
    return [known_mask(path) for path in paths]


def _share(heatmap: np.ndarray, mask: np.ndarray) -> float:
    large = resize(heatmap, *mask.shape)
    total = float(large.sum())
    return float(large[mask].sum()) / total if total > 0 else float("nan")


def _hit(heatmap: np.ndarray, mask: np.ndarray) -> bool:
    if heatmap.max() <= 0:
        return False
    large = resize(heatmap, *mask.shape)
    return bool(mask[np.unravel_index(large.argmax(), mask.shape)])
