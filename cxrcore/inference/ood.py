"""Is an image like those that a run learned from? Its Mahalanobis distance from them, in the run's features.

The vectors are the means over the kept map, scaled to length 1: what counts is their direction. With the mean m and the
principal axes v_i of variance s_i, and a ridge r, the squared distance of x is sum_i ((x - m) v_i)^2 / (s_i + r), plus
what lies off the axes over r (Lee et al. 2018, arXiv:1807.03888, with one Gaussian for all classes).

The limit comes from the images learned from and validated on, each measured from the other four folds of patients: the
ceil((n + 1)(1 - ALARMS))-th smallest of n distances, as in split conformal prediction (Angelopoulos & Bates 2021,
arXiv:2107.07511), which a new image of the same kind exceeds in about a share ALARMS.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrcore.files import atomic_path

FILE = "novelty.npz"
ALARMS = 0.01
MOST = 2000  # images that are learned from; more tell little and take time
_AXES, _FOLDS, _RIDGE = 256, 5, 0.1


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """What is kept with a run: the mean `centre` (c,), the principal `axes` (a, c) with their `variances` (a,), the
    `ridge`, the `limit` of the distance, and how many of the `tested` images of the test set were beyond it (`alarms`).
    """

    centre: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    ridge: float
    limit: float = 1.0
    alarms: int = 0
    tested: int = 0

    def distance(self, vectors: np.ndarray) -> np.ndarray:
        """Return the distance of raw vectors (n, c) in limits, (n,): above 1 is unlike what was learned from."""
        apart = directions(vectors) - self.centre
        along = apart @ self.axes.T
        beside = np.maximum((apart**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        return np.sqrt((along**2 / (self.variances + self.ridge)).sum(axis=1) + beside / self.ridge) / self.limit

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **self.__dict__)


def fit(known: np.ndarray, patients: np.ndarray, test: np.ndarray, seed: int = 0) -> OutOfDistributionDetector | None:
    """Return the novelty of raw vectors, or None where there are too few patients to set a limit by.

    Args:
        known: of the images learned from and validated on, float32 (n, c).
        patients: the patient of each, (n,).
        test: of the test images, float32 (m, c).
        seed: of the folds.
    """
    names, number = np.unique(patients, return_inverse=True)
    if len(names) < 2 * _FOLDS:
        return None
    fold = np.random.default_rng(seed).permutation(len(names))[number] % _FOLDS
    parts = [_gaussian(known[fold != k]).distance(known[fold == k]) for k in range(_FOLDS)]
    distances = np.sort(np.concatenate(parts))
    rank = min(len(distances), math.ceil((len(distances) + 1) * (1 - ALARMS)))
    whole, limit = _gaussian(known), float(distances[rank - 1])
    alarms = int((whole.distance(test) > limit).sum()) if len(test) else 0
    return OutOfDistributionDetector(whole.centre, whole.axes, whole.variances, whole.ridge, limit, alarms, len(test))


def load(path: Path) -> OutOfDistributionDetector | None:
    """Return what `save` wrote, None if it is not there: runs of older versions have none."""
    if not path.is_file():
        return None
    with np.load(path) as kept:
        numbers = {name: kept[name].item() for name in ("ridge", "limit", "alarms", "tested")}
        return OutOfDistributionDetector(kept["centre"], kept["axes"], kept["variances"], **numbers)


def _gaussian(vectors: np.ndarray) -> OutOfDistributionDetector:
    from sklearn.decomposition import PCA

    scaled = directions(vectors)
    most = min(scaled.shape[0] - 1, scaled.shape[1])
    solver = "full" if len(scaled) < 4 * _AXES else "randomized"  # whichever is faster for so many
    found = PCA(min(_AXES, most), svd_solver=solver, random_state=0).fit(scaled)
    ridge = _RIDGE * float(scaled.var(axis=0).sum()) / most
    return OutOfDistributionDetector(found.mean_, found.components_, found.explained_variance_, max(ridge, 1e-12))


def directions(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, c) scaled to length 1, float32."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
