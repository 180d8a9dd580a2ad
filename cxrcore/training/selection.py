"""Chooses the layers, the input size and the strength of the logistic head by cross-validation by patient.

Only images of the training part are used. Of every candidate, a logistic regression is solved for falling strengths of
the L2 penalty, each starting from the one before (a warm start), in each fold; the candidate and strength with the
lowest out-of-fold log loss after temperature scaling are chosen. The log loss and not the accuracy: it changes with
every image, so that it is the less noisy guide in a few hundred of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from threadpoolctl import threadpool_limits

from cxrcore.data import split
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals
from cxrcore.progress import Progress, ignore
from cxrcore.runs.models import SelectionTrial
from cxrcore.training.kept_vectors import MEMORY_BYTES, KeptVectors
from cxrcore.training.logistic import COARSE, Coordinates, LogisticModel, Problem, Standardisation

FOLDS = 5
# From strong to weak; a path ends after two strengths without a lower loss.
STRENGTHS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
MOST = 1_500  # images, with their copies, that candidates are compared on; more change the choice little and take time
_TEMPERATURES = (0.2, 10.0)
_PRIOR = 0.5  # standard deviation of log T
_AT_ONCE = 4096  # images whose vectors are read at once
_THREADS = 1  # of the linear algebra: the matrices are small, and threads would wait for each other


@dataclass(frozen=True)
class Candidate:
    """An input size in pixels and taps joined by "+"."""

    size: int
    tap: str


@dataclass(frozen=True)
class Examples:
    """The training part: rows of the feature vectors with what is known of them.

    Attributes:
        rows: of the images, int (n,).
        labels: class indices, int (n,).
        patients: n names.
        targets: distribution over the classes of each image, float (n, classes).
        weights: of each image, float (n,).
        copies: rows of the augmented copies of each image, int (n, copies).
    """

    rows: np.ndarray
    labels: np.ndarray
    patients: Sequence[str]
    targets: np.ndarray
    weights: np.ndarray
    copies: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, places: np.ndarray) -> "Examples":
        """Return the images at these places."""
        patients = np.asarray(self.patients, object)[places]
        return Examples(
            self.rows[places],
            self.labels[places],
            list(patients),
            self.targets[places],
            self.weights[places],
            self.copies[places],
        )


@dataclass(frozen=True)
class Fit:
    """A logistic regression with the standardisation of its inputs."""

    standardisation: Standardisation
    model: LogisticModel

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Return float64 (n, classes) of feature vectors (n, c)."""
        return self.model.logits(self.standardisation.apply(vectors))


@dataclass(frozen=True)
class Selected:
    """What was chosen, with the out-of-fold logits (n, classes) of the `examples` it was chosen on."""

    candidate: Candidate
    l2: float
    temperature: float
    examples: Examples
    logits: np.ndarray
    fold: np.ndarray
    trials: list[SelectionTrial] = field(default_factory=list)


@dataclass(frozen=True)
class Iteration:
    """The mean over folds of the loss and accuracy on the images trained on and on those held out."""

    loss: float
    accuracy: float
    held_out_loss: float
    held_out_accuracy: float


Vectors = Callable[[Candidate, np.ndarray], np.ndarray]


def select(
    candidates: Sequence[Candidate],
    vectors: Vectors,
    examples: Examples,
    strengths: Sequence[float] = STRENGTHS,
    calibrate: bool = True,
    seed: int = 0,
    progress: Progress = ignore,
) -> Selected:
    """Return the best candidate and strength, of equal ones the first.

    Args:
        candidates: at least one.
        vectors: from a candidate and rows to their features, float32 (n, c).
        examples: the training part; at most `MOST` images of it are compared on.
        strengths: of the L2 penalty, from strong to weak.
        calibrate: whether a temperature is fitted; else it is 1.
        seed: of the folds.
        progress: called with the number of candidates that are done.

    Raises:
        UserError: a feature is NaN or infinite.
    """
    examples = _sample(examples, seed)
    fold, grams = _folds(examples, seed), _Grams(vectors, examples)
    best: Selected | None = None
    trials: list[SelectionTrial] = []
    losses: list[float] = []
    with threadpool_limits(_THREADS, "blas"):
        for number, candidate in enumerate(candidates):
            progress(number, len(candidates))
            found = _best_strength(grams.of(candidate), examples, fold, strengths)
            loss = found.loss
            right = int((found.logits.argmax(axis=1) == examples.labels).sum())
            accuracy = intervals.proportion(right, len(examples))
            trials.append(
                SelectionTrial(size=candidate.size, tap=candidate.tap, l2=found.l2, loss=loss, accuracy=accuracy)
            )
            if best is None or loss < min(losses):
                temperature = found.temperature if calibrate else 1.0
                best = Selected(candidate, found.l2, temperature, examples, found.logits, fold, trials)
            losses.append(loss)
        progress(len(candidates), len(candidates))
    assert best is not None
    return best


def fit(candidate: Candidate, vectors: Vectors, examples: Examples, l2: float, memory: int = MEMORY_BYTES) -> Fit:
    """Return the logistic regression on all `examples` and their copies. Vectors of more than `memory` bytes are kept
    in a file meanwhile.

    Raises:
        UserError: a feature is NaN or infinite, or the disk is full.
    """
    times = 1 + examples.copies.shape[1]
    rows = np.concatenate([examples.rows, examples.copies.T.ravel()])
    parts = (vectors(candidate, rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE))
    kept = KeptVectors(len(rows), parts, memory)
    targets, weights = np.tile(examples.targets, (times, 1)), np.tile(examples.weights, times)
    with threadpool_limits(_THREADS, "blas"):
        standardisation = Standardisation.of(kept)
        _require_finite(standardisation.mean, candidate)
        blocks = _StandardisedBlocks(kept, standardisation)
        return Fit(standardisation, Problem(blocks, targets, weights).solve(l2))


def iterations(selected: Selected, vectors: Vectors) -> Iterator[Iteration]:
    """Yield the curves of the chosen candidate: the mean over the folds at the start and after each iteration of the
    solver.
    """
    examples = selected.examples
    with threadpool_limits(_THREADS, "blas"):
        gram = _Grams(vectors, examples).of(selected.candidate)
        folds = [_fold(gram, examples, selected.fold == number) for number in np.unique(selected.fold)]
        curves = [_curve(each, examples.labels, selected.l2) for each in folds]
    for step in range(max(map(len, curves))):
        mean = np.mean([curve[min(step, len(curve) - 1)] for curve in curves], axis=0)
        yield Iteration(*map(float, mean))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature T that minimises the negative log likelihood of softmax(logits / T) plus a penalty.

    Guo et al. 2017, arXiv:1706.04599. The penalty (log T)^2 / (2 s^2), s = 0.5, is that of a log-normal prior around 1:
    it matters with few images only, of which a temperature would otherwise follow single ones. 1 where every image is
    predicted correctly.
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    low, high = np.log(_TEMPERATURES)

    def loss(log: float) -> float:
        return log_loss(logits / np.exp(log), labels) + (log / _PRIOR) ** 2 / (2 * len(labels))

    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log likelihood of class indices (n,) under softmax(logits), logits (n, classes)."""
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]).mean())


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits (n, classes), float32."""
    return np.asarray(softmax(logits, axis=1), np.float32)


@dataclass(frozen=True)
class _StandardisedBlocks:
    """Kept vectors, standardised block by block each time they are iterated."""

    kept: KeptVectors
    standardisation: Standardisation

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.standardisation.apply, self.kept)


def _require_finite(values: np.ndarray, candidate: Candidate) -> None:
    if not np.isfinite(values).all():
        raise UserError("The features of {tap} have values that are no finite numbers.", tap=candidate.tap)


class _Grams:
    """The inner products of the standardised features of examples and their copies, by candidate.

    With features that are standardised one by one, the inner products of joined taps are the sum of those of each tap,
    which are computed once. They are all that a logistic regression needs of the features.
    """

    def __init__(self, vectors: Vectors, examples: Examples) -> None:
        self._vectors, self._rows = vectors, np.concatenate([examples.rows, examples.copies.T.ravel()])
        self._kept: dict[Candidate, np.ndarray] = {}

    def of(self, candidate: Candidate) -> np.ndarray:
        """Return float64 (m, m) for m images and copies, the images first."""
        taps = [Candidate(candidate.size, tap) for tap in candidate.tap.split("+")]
        for tap in taps:
            if tap not in self._kept:
                found = self._vectors(tap, self._rows)
                _require_finite(found, tap)
                inputs = Standardisation.of([found]).apply(found)
                self._kept[tap] = inputs @ inputs.T
        return np.asarray(np.sum([self._kept[tap] for tap in taps], axis=0))


@dataclass(frozen=True)
class _Fold:
    """One fold: coordinates of the images trained on and of those held out, in the same orthonormal basis.

    `trained` and `tested` are the places of the images, without copies.
    """

    trained: np.ndarray
    tested: np.ndarray
    inputs: np.ndarray
    outside: np.ndarray
    problem: Problem


def _fold(gram: np.ndarray, examples: Examples, held_out: np.ndarray) -> _Fold:
    """Return the fold that holds out some images, boolean (n,)."""
    trained, tested = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    times = 1 + examples.copies.shape[1]
    places = np.concatenate([trained + len(examples) * k for k in range(times)])
    coordinates = Coordinates.of(gram[np.ix_(places, places)])
    outside = coordinates.of_others(gram[np.ix_(places[coordinates.images], tested)])
    targets, weights = np.tile(examples.targets[trained], (times, 1)), np.tile(examples.weights[trained], times)
    problem = Problem(coordinates.blocks, targets, weights)
    return _Fold(trained, tested, coordinates.rows[: len(trained)], outside, problem)


@dataclass(frozen=True)
class _Strength:
    l2: float
    loss: float
    temperature: float
    logits: np.ndarray


def _best_strength(gram: np.ndarray, examples: Examples, fold: np.ndarray, strengths: Sequence[float]) -> _Strength:
    folds = [_fold(gram, examples, fold == number) for number in np.unique(fold)]
    last: list[LogisticModel | None] = [None] * len(folds)
    best: _Strength | None = None
    worse = 0
    for l2 in strengths:
        logits = np.zeros(examples.targets.shape)
        for k, each in enumerate(folds):
            model = each.problem.solve(l2, last[k], tolerance=COARSE)
            logits[each.tested], last[k] = model.logits(each.outside), model
        temperature = fit_temperature(logits, examples.labels)
        found = _Strength(l2, log_loss(logits / temperature, examples.labels), temperature, logits)
        if best is None or found.loss < best.loss:
            best, worse = found, 0
        else:
            worse += 1
        if worse == 2:
            break
    assert best is not None
    return best


def _curve(each: _Fold, labels: np.ndarray, l2: float) -> list[tuple[float, float, float, float]]:
    """Return loss and accuracy on the images trained on and held out at the start, where all logits are 0, and after
    each iteration in one fold.

    The losses are without the L2 penalty, so that that of training can rise after the first step, but not above the
    start.
    """
    found: list[tuple[float, float, float, float]] = []

    def record(model: LogisticModel) -> None:
        row: list[float] = []
        for inputs, places in ((each.inputs, each.trained), (each.outside, each.tested)):
            logits = model.logits(inputs)
            row += [log_loss(logits, labels[places]), float((logits.argmax(axis=1) == labels[places]).mean())]
        found.append((row[0], row[1], row[2], row[3]))

    classes = each.problem.classes
    record(LogisticModel(np.zeros((each.inputs.shape[1], classes)), np.zeros(classes)))
    each.problem.solve(l2, callback=record, tolerance=COARSE)
    return found


def _sample(examples: Examples, seed: int) -> Examples:
    most = MOST // (1 + examples.copies.shape[1])
    if len(examples) <= most:
        return examples
    count = -(-len(examples) // most)
    fold = split.folds([str(label) for label in examples.labels], examples.patients, count, seed)
    return examples.chosen(np.flatnonzero(fold == 0))


def _folds(examples: Examples, seed: int) -> np.ndarray:
    """Return the fold of each image: whole patients, at most `FOLDS`, fewer for a class of few patients."""
    patients = np.asarray(examples.patients, object)
    smallest = min(len(set(patients[examples.labels == k])) for k in np.unique(examples.labels))
    count = max(2, min(FOLDS, smallest))
    return split.folds([str(label) for label in examples.labels], list(patients), count, seed)
