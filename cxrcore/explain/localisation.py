"""How well a heatmap agrees with the lesions that people drew, and with two baselines that do not see the image.

The baselines know where the lungs are. Lesions cover a large part of many lungs, so that a map without any knowledge of
the image scores well: a method is only of use where it does better.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cxrcore.explain import pointing_game
from cxrcore.explain.overlay import resize

TOLERANCE = 0.03  # of the longer side: the 15 pixels of Zhang et al. 2018, arXiv:1608.00507, on images of 500
THRESHOLDS = np.linspace(0.05, 0.95, 19)  # shares of a map's maximum
_SIDE = 224  # of the images whose pixels are compared
_LEAST_LUNG = 0.2  # of the area of the larger lung: a smaller second part is no lung of its own


@dataclass(frozen=True)
class LesionScores:
    """One row for each image, float (n,), 0 to 1; NaN for an image with a heatmap that is 0 everywhere.

    Attributes:
        pointing: whether the peak lies in a lesion or within `TOLERANCE` of one; the share of such points of a random
            map. 0 for a heatmap that is 0 everywhere.
        energy: the share of the heatmap inside the lesions (Wang et al. 2020, arXiv:1910.01279).
        auprc: the area under the precision-recall curve of the pixels, as scikit-learn's average precision.
        ious: (n, 19), the intersection over union of the lesions and of the pixels of at least each of `THRESHOLDS`
            times the maximum.
    """

    pointing: np.ndarray
    energy: np.ndarray
    auprc: np.ndarray
    ious: np.ndarray


def scores(heatmaps: np.ndarray, lesions: Sequence[np.ndarray]) -> LesionScores:
    """Return how heatmaps (n, h, w), at least 0, agree with lesions, each boolean (H, W) with at least one pixel."""
    pointing = pointing_game.hits(heatmaps, lesions, TOLERANCE).astype(float)
    return _scores(heatmaps, lesions, pointing)


def random_point(lungs: Sequence[np.ndarray], lesions: Sequence[np.ndarray]) -> LesionScores:
    """Return the expected scores of a random point in the lungs, which are those of a map that is even over the lungs.

    Args:
        lungs: each boolean (H, W), with at least one pixel.
        lesions: of the same images; resized where they are of another size.
    """
    maps = [lung.astype(np.float32) for lung, _ in _pairs(lungs, lesions)]
    return _of_maps(maps, lesions, chance(lungs, lesions))


def chance(lungs: Sequence[np.ndarray], lesions: Sequence[np.ndarray]) -> np.ndarray:
    """Return how likely a random point in the lungs is in a lesion or within `TOLERANCE` of one, float (n,)."""
    pairs = _pairs(lungs, lesions)
    return np.array([float(pointing_game.near(lesion, TOLERANCE)[lung].mean()) for lung, lesion in pairs])


def lung_centres(lungs: Sequence[np.ndarray], lesions: Sequence[np.ndarray]) -> LesionScores:
    """Return the scores of a map with a normal density at the centre of each lung.

    Its standard deviations are half those of the lung's pixels. The two centres are its two peaks, each of half the
    weight. For the arguments see `random_point`.
    """
    maps, hits = [], []
    for lung, lesion in _pairs(lungs, lesions):
        near = pointing_game.near(lesion, TOLERANCE)
        parts = [np.argwhere(part) for part in _each_lung(lung)]
        centres = [tuple(part.mean(axis=0).round().astype(int)) for part in parts]
        hits.append(float(np.mean([near[centre] for centre in centres])))
        maps.append(np.sum([_density(part, lung.shape) for part in parts], axis=0))
    return _of_maps(maps, lesions, np.array(hits))


def _of_maps(maps: Sequence[np.ndarray], lesions: Sequence[np.ndarray], pointing: np.ndarray) -> LesionScores:
    """Return the scores of maps of different sizes."""
    each = [_scores(heatmap[None], [lesion], pointing[:1]) for heatmap, lesion in zip(maps, lesions, strict=True)]

    def joined(values: Callable[[LesionScores], np.ndarray]) -> np.ndarray:
        return np.concatenate([values(found) for found in each]) if each else np.empty(0)

    return LesionScores(
        pointing, joined(lambda one: one.energy), joined(lambda one: one.auprc), joined(lambda one: one.ious)
    )


def _scores(heatmaps: np.ndarray, lesions: Sequence[np.ndarray], pointing: np.ndarray) -> LesionScores:
    from sklearn.metrics import average_precision_score

    areas, ious = np.full(len(heatmaps), np.nan), np.full((len(heatmaps), len(THRESHOLDS)), np.nan)
    for number, (heatmap, lesion) in enumerate(zip(heatmaps, lesions, strict=True)):
        mask = _reduced(lesion)
        large = resize(heatmap, *mask.shape)
        if large.max() > 0:
            areas[number] = average_precision_score(mask.ravel(), large.ravel())
            above = large[..., None] >= THRESHOLDS * large.max()
            together = above | mask[..., None]
            ious[number] = (above & mask[..., None]).sum(axis=(0, 1)) / together.sum(axis=(0, 1))
    return LesionScores(pointing, pointing_game.energy(heatmaps, lesions), areas, ious)


def _reduced(mask: np.ndarray) -> np.ndarray:
    """Return a mask (H, W) of at most `_SIDE` pixels a side, with at least one pixel if the mask has."""
    share = _SIDE / max(mask.shape)
    if share >= 1:
        return mask
    height, width = (max(1, round(side * share)) for side in mask.shape)
    covered = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return covered >= min(0.5, float(covered.max()))


def _pairs(lungs: Sequence[np.ndarray], lesions: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the lungs and the lesions of each image, at the size of the lesions."""
    return [(_resized(lung, lesion.shape), lesion) for lung, lesion in zip(lungs, lesions, strict=True)]


def _resized(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if mask.shape == shape:
        return mask
    return cv2.resize(mask.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _each_lung(lungs: np.ndarray) -> list[np.ndarray]:
    """Return the two largest connected parts of a mask, or one that touches divided at its middle."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(lungs.astype(np.uint8))
    areas = statistics[1:, cv2.CC_STAT_AREA]
    order = np.argsort(areas)[::-1] + 1
    if count > 2 and areas[order[1] - 1] >= _LEAST_LUNG * areas[order[0] - 1]:
        return [labels == order[0], labels == order[1]]
    columns = np.flatnonzero(lungs.any(axis=0))
    left = np.arange(lungs.shape[1]) <= (columns[0] + columns[-1]) / 2
    return [half for half in (lungs & left, lungs & ~left) if half.any()]


def _density(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a normal density of weight 1 at the mean of points (n, 2), with half their standard deviations."""
    deviations = points - points.mean(axis=0)
    covariance = deviations.T @ deviations / len(points) / 4 + np.eye(2) / 4  # a lung of one pixel has no width
    offsets = np.moveaxis(np.indices(shape), 0, -1) - points.mean(axis=0)
    distance = np.einsum("...i,ij,...j", offsets, np.linalg.inv(covariance), offsets)
    density = np.exp(-distance / 2)
    normalised: np.ndarray = (density / density.sum()).astype(np.float32)
    return normalised
