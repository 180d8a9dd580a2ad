"""Out-of-distribution detection: the Mahalanobis distance of an image from the training images, in the run's features.

The vectors are the means over the feature map, scaled to length 1, so that only their direction counts. With the mean
m and the principal axes v_i of variance s_i, and a ridge r, the squared distance of x is
sum_i ((x - m) v_i)^2 / (s_i + r) plus the squared distance from the axes over r (Lee et al. 2018, arXiv:1807.03888,
with one Gaussian for all classes).

The threshold comes from the training and validation images, each measured from the other four of five folds of
patients: the ceil((n + 1)(1 - ALARM_RATE))-th smallest of n distances, as in split conformal prediction (Angelopoulos &
Bates 2021, arXiv:2107.07511), which a new image of the same kind exceeds with a probability of about ALARM_RATE.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cxrcore.files import atomic_path
from cxrcore.inference.arrays import read_arrays

FILE = "novelty.npz"
ALARM_RATE = 0.01
MOST = 2000  # reference images; more change the threshold little and take time
_AXES, _FOLDS, _RIDGE = 256, 5, 0.1


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """A Gaussian of the reference images with a threshold.

    Attributes:
        centre: mean, (c,).
        axes: principal axes, (a, c).
        variances: along the axes, (a,).
        ridge: added to every variance.
        limit: threshold of the distance.
        alarms: how many test images are beyond it.
        tested: number of test images.
    """

    centre: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    ridge: float
    limit: float = 1.0
    alarms: int = 0
    tested: int = 0

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """Return the distance of mean features (n, c) over the threshold, (n,): above 1 is out of distribution."""
        offset = directions(vectors) - self.centre
        along = offset @ self.axes.T
        residual = np.maximum((offset**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        squared = (along**2 / (self.variances + self.ridge)).sum(axis=1) + residual / self.ridge
        return np.asarray(np.sqrt(squared) / self.limit)

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **self.__dict__)


def fit(
    reference: np.ndarray, patients: np.ndarray, test: Iterable[np.ndarray], seed: int = 0
) -> OutOfDistributionDetector | None:
    """Return the detector for mean features, or None with too few patients for a threshold.

    Args:
        reference: of training and validation images, float32 (n, c).
        patients: the patient of each, (n,).
        test: of the test images, float32 (m, c), in parts.
        seed: of the folds.
    """
    names, index = np.unique(patients, return_inverse=True)
    if len(names) < 2 * _FOLDS:
        return None
    fold = np.random.default_rng(seed).permutation(len(names))[index] % _FOLDS
    held_out = [_gaussian(reference[fold != k]).score(reference[fold == k]) for k in range(_FOLDS)]
    distances = np.sort(np.concatenate(held_out))
    rank = min(len(distances), math.ceil((len(distances) + 1) * (1 - ALARM_RATE)))
    whole, limit = _gaussian(reference), float(distances[rank - 1])
    alarms = tested = 0
    for part in test:
        alarms, tested = alarms + int((whole.score(part) > limit).sum()), tested + len(part)
    return replace(whole, limit=limit, alarms=alarms, tested=tested)


def load(path: Path) -> OutOfDistributionDetector | None:
    """Return what `save` wrote, None if there is no such file.

    Raises:
        DamagedFileError: the file is damaged.
    """
    kept = read_arrays(path, "centre", "axes", "variances", "ridge", "limit", "alarms", "tested")
    if kept is None:
        return None
    centre, axes, variances, ridge, limit, alarms, tested = kept
    return OutOfDistributionDetector(centre, axes, variances, float(ridge), float(limit), int(alarms), int(tested))


def directions(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, c) scaled to length 1, float32."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)


def _gaussian(vectors: np.ndarray) -> OutOfDistributionDetector:
    from sklearn.decomposition import PCA

    scaled = directions(vectors)
    most = min(scaled.shape[0] - 1, scaled.shape[1])
    # Whichever is faster for this size: of few features all axes are wanted.
    solver = "full" if len(scaled) < 4 * _AXES else "covariance_eigh" if scaled.shape[1] <= _AXES else "randomized"
    pca = PCA(min(_AXES, most), svd_solver=solver, random_state=0).fit(scaled)
    ridge = _RIDGE * float(scaled.var(axis=0).sum()) / most
    return OutOfDistributionDetector(pca.mean_, pca.components_, pca.explained_variance_, max(ridge, 1e-12))
