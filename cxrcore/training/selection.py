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
from cxrcore.evaluation import intervals
from cxrcore.progress import Progress, ignore
from cxrcore.runs.models import SelectionTrial
from cxrcore.training.logistic import COARSE, LogisticModel, Problem, Standardisation

FOLDS = 5
# From strong to weak; a path ends after two strengths without a lower loss.
STRENGTHS = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
MOST = 2_000  # images that candidates are compared on; more change the choice little and take time
_TEMPERATURES = (0.2, 10.0)
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
    """Return the best candidate and strength.

    Args:
        candidates: at least one.
        vectors: from a candidate and rows to their features, float32 (n, c).
        examples: the training part; at most `MOST` images of it are compared on.
        strengths: of the L2 penalty, from strong to weak.
        calibrate: whether a temperature is fitted; else it is 1.
        seed: of the folds.
        progress: called with the number of candidates that are done.
    """
    examples = _sample(examples, seed)
    fold = _folds(examples, seed)
    best: Selected | None = None
    trials: list[SelectionTrial] = []
    losses: list[float] = []
    with threadpool_limits(_THREADS, "blas"):
        for number, candidate in enumerate(candidates):
            progress(number, len(candidates))
            found = _best_strength(candidate, vectors, examples, fold, strengths)
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


def fit(candidate: Candidate, vectors: Vectors, examples: Examples, l2: float, tolerance: float | None = None) -> Fit:
    """Return the logistic regression on all `examples` and their copies."""
    fitted = _Fold(candidate, vectors, examples)
    return fitted.solve(l2) if tolerance is None else fitted.solve(l2, tolerance=tolerance)


def iterations(selected: Selected, vectors: Vectors) -> Iterator[Iteration]:
    """Yield the curves of the chosen candidate: the mean over the folds after each iteration of the solver."""
    curves = []
    with threadpool_limits(_THREADS, "blas"):
        for number in np.unique(selected.fold):
            curves.append(_curve(selected, vectors, selected.fold == number))
    for step in range(max(map(len, curves))):
        mean = np.mean([curve[min(step, len(curve) - 1)] for curve in curves], axis=0)
        yield Iteration(*map(float, mean))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature T that minimises the mean negative log likelihood of softmax(logits / T).

    Guo et al. 2017, arXiv:1706.04599. 1 where every image is predicted correctly: the lowest temperature would then be
    the best, and the probabilities certain.
    """
    if (logits.argmax(axis=1) == labels).all():
        return 1.0
    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(lambda log: log_loss(logits / np.exp(log), labels), bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log likelihood of class indices (n,) under softmax(logits), logits (n, classes)."""
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]).mean())


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits (n, classes), float32."""
    return np.asarray(softmax(logits, axis=1), np.float32)


class _Fold:
    """Images to train on, standardised once for several strengths."""

    def __init__(self, candidate: Candidate, vectors: Vectors, examples: Examples) -> None:
        rows = np.concatenate([examples.rows, examples.copies.T.ravel()])
        times = 1 + examples.copies.shape[1]
        inputs = vectors(candidate, rows)
        self.standardisation = Standardisation.of(inputs)
        self.inputs = self.standardisation.apply(inputs)
        self._problem = Problem(self.inputs, np.tile(examples.targets, (times, 1)), np.tile(examples.weights, times))

    def solve(self, l2: float, start: Fit | None = None, tolerance: float = 1e-6, callback: object = None) -> Fit:
        model = self._problem.solve(
            l2,
            start.model if start else None,
            callback,  # type: ignore[arg-type]
            tolerance,
        )
        return Fit(self.standardisation, model)


@dataclass(frozen=True)
class _Strength:
    l2: float
    loss: float
    temperature: float
    logits: np.ndarray


def _best_strength(
    candidate: Candidate, vectors: Vectors, examples: Examples, fold: np.ndarray, strengths: Sequence[float]
) -> _Strength:
    numbers = np.unique(fold)
    inside = [_Fold(candidate, vectors, examples.chosen(np.flatnonzero(fold != number))) for number in numbers]
    outside = [vectors(candidate, examples.rows[fold == number]) for number in numbers]
    last: list[Fit | None] = [None] * len(numbers)
    best: _Strength | None = None
    worse = 0
    for l2 in strengths:
        logits = np.zeros_like(examples.targets, dtype=np.float64)
        for k, number in enumerate(numbers):
            solved = inside[k].solve(l2, last[k], COARSE)
            logits[fold == number], last[k] = solved.logits(outside[k]), solved
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


def _curve(selected: Selected, vectors: Vectors, held_out: np.ndarray) -> list[tuple[float, float, float, float]]:
    """Return loss and accuracy on the images trained on and held out, after each iteration in one fold."""
    examples = selected.examples
    trained, tested = (examples.chosen(np.flatnonzero(part)) for part in (~held_out, held_out))
    inside = _Fold(selected.candidate, vectors, trained)
    inputs = inside.inputs[: len(trained)]
    others = inside.standardisation.apply(vectors(selected.candidate, tested.rows))
    found = []

    def record(model: LogisticModel) -> None:
        row: list[float] = []
        for vector, labels in ((inputs, trained.labels), (others, tested.labels)):
            logits = model.logits(vector)
            row += [log_loss(logits, labels), float((logits.argmax(axis=1) == labels).mean())]
        found.append((row[0], row[1], row[2], row[3]))

    inside.solve(selected.l2, tolerance=COARSE, callback=record)
    return found or [(0.0, 0.0, 0.0, 0.0)]


def _sample(examples: Examples, seed: int) -> Examples:
    if len(examples) <= MOST:
        return examples
    count = -(-len(examples) // MOST)
    fold = split.folds([str(label) for label in examples.labels], examples.patients, count, seed)
    return examples.chosen(np.flatnonzero(fold == 0))


def _folds(examples: Examples, seed: int) -> np.ndarray:
    """Return the fold of each image: whole patients, at most `FOLDS`, fewer for a class of few patients."""
    patients = np.asarray(examples.patients, object)
    smallest = min(len(set(patients[examples.labels == k])) for k in np.unique(examples.labels))
    count = max(2, min(FOLDS, smallest))
    return split.folds([str(label) for label in examples.labels], list(patients), count, seed)
