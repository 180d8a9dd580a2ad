"""The learning curve of a run: the test accuracy by the number of training patients.

It tells whether more patients of the same sources would help. A logistic regression on the pooled features of the run's
backbone stands for the run's head: it is trained in seconds, and its accuracy is near that of the recommended head.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from cxrcore import settings
from cxrcore.audits.masked_probe import MaskedFeatures
from cxrcore.data.dataset import TEST, TRAIN
from cxrcore.evaluation import intervals, linear_probe
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg
from cxrcore.metric import Metric
from cxrcore.progress import StageProgress, TaskProgress, ignore_stages
from cxrcore.runs import Run
from cxrcore.schema import Stored

FILE = "learning_curve.json"
SHARES = (0.1, 0.2, 0.5, 1.0)
REPEATS = 10


@dataclass(frozen=True)
class LearningPoint:
    """The test `accuracy` after training on so many `patients` with so many `images`, means over `REPEATS` draws."""

    share: float
    patients: int
    images: int
    accuracy: Metric


class LearningCurve(Stored):
    """`learning_curve.json`.

    Attributes:
        points: by share of the training patients, the last of all of them.
        gain: the accuracy with all training patients minus that with half of them, -1 to 1.
        test_images: number of test images, the same for all points.
        test_patients: their patients.
    """

    points: list[LearningPoint]
    gain: Metric
    test_images: int
    test_patients: int


def compute(run: Run, progress: TaskProgress = ignore_stages) -> LearningCurve:
    """Compute the learning curve of a run, and keep it with the run.

    Raises:
        UserError: weights or images are missing.
    """
    settings.require_writable()
    table = run.table
    vectors = MaskedFeatures(run, progress).extract(table, run.config.image_transform, N_("features of whole images"))
    found = measure(vectors, table, progress)
    found.write(run.folder / FILE)
    return found


def load(run: Run) -> LearningCurve | None:
    """Return the learning curve of a run, None before it was computed.

    Raises:
        DamagedFileError: the file is damaged.
    """
    return LearningCurve.read_if_present(run.folder / FILE)


def sentence(found: LearningCurve) -> Message:
    """Return what the curve says about more training patients."""
    gain, last = found.gain, found.points[-1]
    if gain.value is None or gain.low is None or gain.high is None:
        return msg("Half of the {patients} training patients give the same accuracy as all.", patients=last.patients)
    change = msg(
        "All {patients} training patients give {gain:+.1f} points of accuracy against half of them (95% interval "
        "{low:+.1f} to {high:+.1f})",
        patients=last.patients,
        gain=100 * gain.value,
        low=100 * gain.low,
        high=100 * gain.high,
    )
    if gain.low > 0:
        return msg("{change}: more patients of these sources are likely to help.", change=change)
    return msg("{change}, which may be due to chance: more patients of these sources may not help.", change=change)


def measure(
    vectors: np.ndarray, table: pd.DataFrame, progress: StageProgress = ignore_stages, seed: int = 0
) -> LearningCurve:
    """Return the learning curve of features float (n, c) and a table of as many rows with `label`, `patient`, `split`.

    The test patients are fixed. Of the training patients, shares of each class (at least one patient) are drawn
    `REPEATS` times, a smaller share from the larger one. The intervals are those of the pigeonhole bootstrap (Owen
    2007, doi:10.1214/07-AOAS122), which resamples draws and test patients independently; where all is correct,
    Wilson's for as many test patients.

    Args:
        vectors: the features.
        table: the images of the run.
        progress: called with the number of trained classifiers.
        seed: of the draws and of the bootstrap.
    """
    vectors = np.asarray(vectors, np.float32)
    train, test = (np.flatnonzero((table["split"] == part).to_numpy()) for part in (TRAIN, TEST))
    labels, people = table["label"].to_numpy(str), table["patient"].to_numpy(str)
    subsets: list[list[np.ndarray]] = [[] for _ in SHARES]
    for drawn in _draws(labels[train], people[train], seed):
        for number, chosen in enumerate(drawn):
            subsets[number].append(train[np.isin(people[train], chosen)])
    subsets[-1] = subsets[-1][:1]  # all patients: every draw is the same
    correct, done, total = [], 0, sum(map(len, subsets))
    with threadpool_limits(1, "blas"):
        for repeats in subsets:
            rows = []
            for rows_of_draw in repeats:
                rows.append(_predicted(vectors, labels, rows_of_draw, test) == labels[test])
                done += 1
                progress(N_("classifiers of the learning curve"), done, total)
            correct.append(np.stack(rows))
    values = [_accuracy(found, people[test], seed) for found in correct]
    points = [
        LearningPoint(
            share=share,
            patients=len(set(people[repeats[0]])),
            images=round(float(np.mean([len(rows) for rows in repeats]))),
            accuracy=accuracy,
        )
        for share, repeats, accuracy in zip(SHARES, subsets, values, strict=True)
    ]
    different = [point for point, after in zip(points, [*points[1:], None], strict=True) if not _same(point, after)]
    gain = _difference(correct[SHARES.index(1.0)], correct[SHARES.index(0.5)], people[test], seed)
    return LearningCurve(points=different, gain=gain, test_images=len(test), test_patients=len(set(people[test])))


def _same(point: LearningPoint, after: LearningPoint | None) -> bool:
    """Return whether the next larger share has as many patients, as of few patients it may."""
    return after is not None and point.patients == after.patients


def _draws(labels: np.ndarray, patients: np.ndarray, seed: int) -> Iterator[list[np.ndarray]]:
    """Yield `REPEATS` times the patients of each of `SHARES`; a patient counts for the class of most of its images."""
    counts = pd.crosstab(patients, labels)
    of_class = counts.to_numpy().argmax(axis=1)
    names = counts.index.to_numpy()
    rng = np.random.default_rng(seed)
    for _ in range(REPEATS):
        order = [rng.permutation(names[of_class == k]) for k in np.unique(of_class)]
        yield [np.concatenate([group[: max(1, round(share * len(group)))] for group in order]) for share in SHARES]


def _predicted(vectors: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the predicted labels of rows `test` after training on rows `train`."""
    known = np.unique(labels[train])
    if len(known) == 1:  # nothing to tell apart
        return np.repeat(known, len(test))
    predicted: np.ndarray = linear_probe.classifier().fit(vectors[train], labels[train]).predict(vectors[test])
    return predicted


def _accuracy(correct: np.ndarray, patients: np.ndarray, seed: int) -> Metric:
    """Return the mean of correct, bool (draws, n), with its interval."""
    n, people = correct.shape[1], len(set(patients))
    value = float(correct.mean())
    if value in (0, 1):
        return Metric(value, *intervals.wilson(people if value else 0, people), n=n)
    return intervals.with_bounds(value, _bounds(correct, None, patients, seed), n)


def _difference(first: np.ndarray, second: np.ndarray, patients: np.ndarray, seed: int) -> Metric:
    value = float(first.mean() - second.mean())
    return intervals.with_bounds(value, _bounds(first, second, patients, seed), first.shape[1])


def _bounds(first: np.ndarray, second: np.ndarray | None, patients: np.ndarray, seed: int) -> np.ndarray:
    """Return the interval (2,) of the mean of `first`, bool (draws, n), minus that of `second`, if there is one."""
    rng = np.random.default_rng(seed + 1)

    def mean(correct: np.ndarray, weights: np.ndarray) -> np.ndarray:
        draws = len(correct)
        drawn = rng.multinomial(draws, np.full(draws, 1 / draws), size=len(weights)) / draws
        return np.asarray(((drawn @ correct) * weights).sum(axis=1) / weights.sum(axis=1))

    def statistic(weights: np.ndarray) -> np.ndarray:
        return mean(first, weights) - (0.0 if second is None else mean(second, weights))

    return intervals.of_weights(list(patients), statistic, seed)
