"""95 % intervals: Wilson's for proportions, the bootstrap over patients for everything else."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest, t

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


def of_rounds(values: Sequence[float], ratio: float) -> tuple[float, float] | None:
    """Return the interval of the mean of a share over rounds of training and testing on the same images.

    The rounds share images, so their variance is too small by itself. Nadeau & Bengio 2003
    (doi:10.1023/A:1024068626366) correct it to (1/k + ratio) s^2, with `ratio` tested to trained images, for a t with
    k - 1 degrees of freedom. None where nothing is known of how they spread: fewer than two rounds, or all alike.
    """
    if np.ptp(values) < 1e-9:  # sums of floats may differ by less
        return None
    half = t.ppf(0.975, len(values) - 1) * np.sqrt((1 / len(values) + ratio) * np.var(values, ddof=1))
    mean = float(np.mean(values))
    return max(0.0, mean - float(half)), min(1.0, mean + float(half))


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
    group, resamples = _resamples(patients, seed)
    share = np.zeros((group.max() + 1, classes * classes))
    np.add.at(share, (group, true * classes + predicted), 1)
    values = [statistic((weights @ share).reshape(-1, classes, classes)) for weights in resamples]
    return _percentiles(np.concatenate(values))


def weighted(patients: Sequence[str], statistic: Callable[[np.ndarray], np.ndarray], seed: int = 0) -> np.ndarray:
    """Return the same interval, (2, ...), of a statistic of the weights of images: (R, n) to (R, ...)."""
    group, resamples = _resamples(patients, seed)
    return _percentiles(np.concatenate([statistic(weights[:, group]) for weights in resamples]))


def mean(values: np.ndarray, patients: np.ndarray) -> dict[str, Any] | None:
    """Return `value`, `ci95` and `n` of the mean of values (n,), those that are no number left out; None if all are.

    The interval is the bootstrap over the patients (n,).
    """
    there = np.isfinite(values)
    if not there.any():
        return None
    known = values[there]
    low, high = weighted(list(patients[there]), lambda weights: weights @ known / weights.sum(axis=1))
    return {"value": float(known.mean()), "ci95": [float(low), float(high)], "n": len(known)}


def difference(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
    """Return the interval of p1 - p2 of two independent proportions, each as (successes, n).

    Method 10 of Newcombe RG, Statistics in Medicine 1998, 17:873-890, from Wilson's bounds.
    """
    p1, p2 = first[0] / first[1], second[0] / second[1]
    (low1, high1), (low2, high2) = wilson(*first), wilson(*second)
    below = float(np.hypot(p1 - low1, high2 - p2))
    above = float(np.hypot(high1 - p1, p2 - low2))
    return p1 - p2 - below, p1 - p2 + above


def _resamples(patients: Sequence[str], seed: int) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Return the number of each image's patient, and chunks of how often each patient is drawn, (_CHUNK, patients)."""
    names, group = np.unique(np.asarray(patients), return_inverse=True)
    rng = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    chunks = (rng.multinomial(len(names), even, size=_CHUNK).astype(float) for _ in range(RESAMPLES // _CHUNK))
    return group, chunks


def _percentiles(values: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        return np.nanpercentile(values, [2.5, 97.5], axis=0)
