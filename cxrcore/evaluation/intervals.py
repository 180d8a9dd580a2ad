"""95 % intervals: Wilson's score interval for proportions, the bootstrap over patients for everything else.

The bootstrap has `RESAMPLES` resamples of up to `MANY` images, and fewer of more images, so that the images drawn in
all of them stay about as many: `resamples` tells how many.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.stats import binomtest, norm, t

from cxrcore.metric import Metric

RESAMPLES, _FEWEST = 2000, 200
MANY = 2000  # images
_CHUNK, _CHUNK_IMAGES = 100, 1_000_000  # resamples that are computed together, and the images drawn in them


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of `successes` out of `n`; 0 of 0 has the interval (0, 1).

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953, as computed by SciPy.
    """
    if n == 0:
        return 0.0, 1.0
    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def proportion(successes: int, n: int) -> Metric:
    """Return a proportion with its Wilson interval; 0 of 0 has neither value nor interval."""
    if n == 0:
        return Metric(None, n=0, successes=0)
    return Metric(successes / n, *wilson(successes, n), n=n, successes=successes)


def resamples(images: int) -> int:
    """Return the number of bootstrap resamples of so many images.

    With 200 instead of 2,000 resamples, the end of an interval varies by about a tenth of the interval's half width.
    """
    return max(_FEWEST, min(RESAMPLES, RESAMPLES * MANY // max(images, 1)))


def of_resampling(values: Sequence[float], ratio: float) -> tuple[float, float] | None:
    """Return the interval of the mean of a proportion over folds or repeats of training and testing on one dataset.

    Folds share training images, so their variance underestimates that of the mean. Nadeau & Bengio 2003
    (doi:10.1023/A:1024068626366) correct it to (1/k + ratio) s^2, with `ratio` the number of test images over that of
    training images, for a t distribution with k - 1 degrees of freedom. None where the variance is not known: fewer
    than two values, or all equal.
    """
    if np.ptp(values) < 1e-9:  # sums of floats may differ by less
        return None
    half = t.ppf(0.975, len(values) - 1) * np.sqrt((1 / len(values) + ratio) * np.var(values, ddof=1))
    mean = float(np.mean(values))
    return max(0.0, mean - float(half)), min(1.0, mean + float(half))


def of_confusion(
    true: np.ndarray,
    predicted: np.ndarray,
    patients: Sequence[str],
    classes: int,
    statistic: Callable[[np.ndarray], np.ndarray],
    seed: int = 0,
) -> np.ndarray:
    """Return the percentile bootstrap interval, float (2, ...), of a statistic of the confusion matrix.

    See `resample_confusion` for the arguments.
    """
    return _percentiles(resample_confusion(true, predicted, patients, classes, statistic, seed))


def resample_confusion(
    true: np.ndarray,
    predicted: np.ndarray,
    patients: Sequence[str],
    classes: int,
    statistic: Callable[[np.ndarray], np.ndarray],
    seed: int = 0,
) -> np.ndarray:
    """Return a statistic of the confusion matrix of each bootstrap resample, float (`resamples(n)`, ...).

    Patients are drawn with replacement, each with all of its images, as images of one patient are not
    independent (Efron & Tibshirani 1993, chapter 8).

    Args:
        true: class indices, int (n,).
        predicted: class indices, int (n,).
        patients: the patient of each image, n names.
        classes: the number of classes C.
        statistic: confusion matrices (R, C, C), rows true, to values (R, ...); NaN where undefined.
        seed: of the resampling.
    """
    group, chunks = _resamples(patients, seed)
    # Cell by patient, with as many numbers as images: of fifty classes the whole table would have 2500 columns.
    counts = csr_array((np.ones(len(true)), (true * classes + predicted, group)), (classes**2, group.max() + 1))
    values = [statistic((counts @ weights.T).T.reshape(-1, classes, classes)) for weights in chunks]
    return np.concatenate(values)


def of_weights(patients: Sequence[str], statistic: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> np.ndarray:
    """Return the same interval, float (2, ...), of a statistic of the images' weights: (R, n) to (R, ...)."""
    group, chunks = _resamples(patients, seed)
    return _percentiles(np.concatenate([statistic(weights[:, group]) for weights in chunks]))


def mean(values: np.ndarray, patients: np.ndarray) -> Metric | None:
    """Return the mean of the finite ones of values (n,), with the bootstrap interval over patients (n,).

    There is no interval where every resample has the same mean, as with one patient: zero width would claim certainty.
    None if no value is finite.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return None
    known = values[finite]
    bounds = of_weights(list(patients[finite]), lambda weights: weights @ known / weights.sum(axis=1))
    return with_bounds(float(known.mean()), bounds, len(known))


def with_bounds(value: float, bounds: np.ndarray, n: int) -> Metric:
    """Return a metric with bootstrap bounds (2,); NaN is no value, and bounds of zero width are no interval."""
    low, high = (float(bound) for bound in bounds)
    if np.isnan(value):
        return Metric(None, n=n)
    return Metric(float(value), low, high, n) if high - low > 1e-12 else Metric(float(value), n=n)


def difference(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
    """Return the interval of p1 - p2 of two independent proportions, each as (successes, n), n > 0.

    Method 10 of Newcombe RG, Statistics in Medicine 1998, 17:873-890, from Wilson's bounds.
    """
    p1, p2 = first[0] / first[1], second[0] / second[1]
    (low1, high1), (low2, high2) = wilson(*first), wilson(*second)
    below = float(np.hypot(p1 - low1, high2 - p2))
    above = float(np.hypot(high1 - p1, p2 - low2))
    return p1 - p2 - below, p1 - p2 + above


def paired_difference(both: float, only_first: float, only_second: float, neither: float) -> tuple[float, float]:
    """Return the interval of p1 - p2 of two classifiers on the same images, counted by which of them is correct.

    Method 10 of Newcombe RG, Statistics in Medicine 1998, 17:2635-2650. The counts, together more than 0, need not be
    whole numbers.
    """
    n = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    p1, p2 = first / n, second / n
    (low1, high1), (low2, high2) = _wilson(p1, n), _wilson(p2, n)
    margins = first * (n - first) * second * (n - second)
    excess = both * neither - only_first * only_second
    if excess > 0:
        excess = max(excess - n / 2, 0.0)
    correlation = excess / float(np.sqrt(margins)) if margins > 0 else 0.0
    below = _joined(p1 - low1, high2 - p2, correlation)
    above = _joined(high1 - p1, p2 - low2, correlation)
    return p1 - p2 - below, p1 - p2 + above


def _joined(first: float, second: float, correlation: float) -> float:
    return float(np.sqrt(max(0.0, first**2 - 2 * correlation * first * second + second**2)))


def _wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's interval of a share of `n`, which need not be a whole number."""
    z2 = float(norm.ppf(0.975)) ** 2
    middle, half = share + z2 / (2 * n), float(np.sqrt(z2 * (share * (1 - share) + z2 / (4 * n)) / n))
    return (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)


def _resamples(patients: Sequence[str], seed: int) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Return the index of each image's patient, and chunks of how often each patient is drawn, (chunk, patients)."""
    # By their first images, not their names: a copy of the run in which patients are numbered has the same intervals.
    group, names = pd.factorize(np.asarray(patients))
    rng = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    count, size = resamples(len(group)), max(1, min(_CHUNK, _CHUNK_IMAGES // max(len(group), 1)))
    sizes = (min(size, count - start) for start in range(0, count, size))
    return group, (rng.multinomial(len(names), even, size=each).astype(float) for each in sizes)


def _percentiles(values: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        return np.asarray(np.nanpercentile(values, [2.5, 97.5], axis=0))
