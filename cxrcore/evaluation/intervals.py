"""95 % intervals: Wilson's for proportions, the bootstrap over patients for everything else."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import binomtest

RESAMPLES = 2000
_CHUNK = 100


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the Wilson score interval of `successes` out of `n`; the whole range when `n` is 0.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953, as computed by SciPy.
    """
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def by_patient(
    true: np.ndarray,
    predicted: np.ndarray,
    patients: Sequence[str],
    classes: int,
    statistic: Callable[[np.ndarray], np.ndarray],
    seed: int = 0,
) -> np.ndarray:
    """Return the percentile bootstrap interval, (2, ...), of a statistic of the confusion matrix.

    Patients are drawn with replacement, each with all of its images, as images of one patient are not
    independent (Efron & Tibshirani 1993, chapter 8).

    Args:
        true: class numbers, int (n,).
        predicted: class numbers, int (n,).
        patients: the patient of each image, n names.
        classes: the number of classes C.
        statistic: confusion matrices (R, C, C), rows true, to values (R, ...); NaN where undefined.
        seed: of the resampling.
    """
    names, group = np.unique(np.asarray(patients), return_inverse=True)
    share = np.zeros((len(names), classes * classes))
    np.add.at(share, (group, true * classes + predicted), 1)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(RESAMPLES // _CHUNK):
        weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=_CHUNK)
        values.append(statistic((weights @ share).reshape(_CHUNK, classes, classes)))
    return np.nanpercentile(np.concatenate(values), [2.5, 97.5], axis=0)
