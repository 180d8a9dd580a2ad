"""Multinomial logistic regression on standardised features, solved to convergence.

Minimised is sum_i w_i CE(softmax(z_i W + b), y_i) / sum_i w_i + l2 |W|^2 with z the standardised features, w the
weights of the images and biases that are not regularised: scikit-learn's `LogisticRegression` with
C = 1 / (2 n l2). The problem is convex, so that L-BFGS (Liu & Nocedal 1989, doi:10.1007/BF01589116) reaches the optimum
from anywhere and nothing is drawn at random.

The images are read in blocks of rows: loss and gradient are sums over the blocks, so that the optimum does not depend
on how many there are.

With fewer images than features, the optimum lies in the span of the images: z is replaced by its `Coordinates`, which
leaves every logit and |W| unchanged.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import lapack, solve_triangular
from scipy.optimize import minimize
from scipy.special import softmax

from cxrcore.training.kept_vectors import row_blocks

# Bounds of the gradient's largest component. At the first, probabilities agree with scikit-learn's to 1e-5; the second
# is enough to compare strengths.
TOLERANCE, COARSE = 1e-6, 3e-4
_MOST_ITERATIONS = 2_000
_MOST_COORDINATES = 3_000  # the factor of more images takes longer than it saves
# Squared distance of an image from the span of others, as a share of the mean square, up to which it is in the span:
# that of images that occur twice is not exactly 0.
_IN_SPAN = 1e-10

OnIteration = Callable[["LogisticModel"], None]


@dataclass(frozen=True)
class Standardisation:
    """`mean` and `scale` of each feature, float64 (c,). The scale of a constant feature is 1.

    Constant is a feature whose standard deviation is below a millionth of its mean or below 1e-7, which is what float32
    and Keras's `Normalization` can tell from 0.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[np.ndarray]) -> "Standardisation":
        """Return the mean and the standard deviation of float vectors (n, c), given in blocks of rows.

        The mean and the squared deviations of a block are joined to those of the blocks before it (Chan, Golub &
        LeVeque 1983, doi:10.1080/00031305.1983.10483115), so that one pass is as exact as two.
        """
        count, mean, squares = 0, np.zeros(1), np.zeros(1)
        for block in blocks:
            values = np.asarray(block, np.float64)
            of_block = values.mean(axis=0)
            distance, count = of_block - mean, count + len(values)
            mean = mean + distance * (len(values) / count)
            squares = squares + ((values - of_block) ** 2).sum(axis=0)
            squares += distance**2 * (len(values) * (count - len(values)) / count)
        scale = np.sqrt(squares / count)
        constant = scale <= np.maximum(1e-6 * np.abs(mean), 1e-7)
        return cls(mean, np.where(constant, 1.0, scale))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Return standardised vectors, float64 (n, c)."""
        found = np.array(vectors, np.float64)
        found -= self.mean
        found /= self.scale
        return found


@dataclass(frozen=True)
class LogisticModel:
    """`kernel` (c, classes) and `bias` (classes,) on standardised features."""

    kernel: np.ndarray
    bias: np.ndarray

    def logits(self, standardised: np.ndarray) -> np.ndarray:
        """Return float64 (n, classes) of standardised features (n, c)."""
        return np.asarray(standardised @ self.kernel + self.bias)

    def probabilities(self, standardised: np.ndarray) -> np.ndarray:
        """Return the softmax of the logits."""
        return np.asarray(softmax(self.logits(standardised), axis=1))


@dataclass(frozen=True)
class Coordinates:
    """Images in an orthonormal basis of their span.

    With z the features of r images that span the others, and z z^T = F F^T (Cholesky), the basis is z^T F^-T.

    Attributes:
        rows: of all images, float64 (n, r).
        images: the places of the r images, int (r,).
        factor: their own rows, F, lower triangular (r, r).
    """

    rows: np.ndarray
    images: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, products: np.ndarray) -> "Coordinates":
        """Return the coordinates of images with these inner products, float64 (n, n)."""
        least = _IN_SPAN * max(np.diagonal(products).mean(), np.finfo(float).tiny)
        factored, pivots, rank, _ = lapack.dpstrf(products, tol=least, lower=1)
        order, lower = pivots - 1, np.tril(factored)[:, :rank]
        rows = np.empty_like(lower, order="C")
        rows[order] = lower
        return cls(rows, order[:rank], lower[:rank])

    @property
    def blocks(self) -> list[np.ndarray]:
        """The rows in blocks, see `row_blocks`."""
        return [self.rows[block] for block in row_blocks(*self.rows.shape)]

    def of_others(self, products: np.ndarray) -> np.ndarray:
        """Return the coordinates (m, r) of other images from their inner products with `images`, (r, m)."""
        return np.asarray(solve_triangular(self.factor, products, lower=True, check_finite=False).T)


class Problem:
    """Training images, ready to be solved for several strengths of regularisation."""

    def __init__(self, blocks: Iterable[np.ndarray], targets: np.ndarray, weights: np.ndarray) -> None:
        """Prepare the coordinates of the images.

        Args:
            blocks: standardised features of the n training images, float64 (rows, c) each; iterated once for each
                evaluation of the loss.
            targets: distribution over the classes of each image, float (n, classes): one-hot without smoothing.
            weights: of each image, float (n,), at least 0.
        """
        self._blocks, self._targets, self._weights = blocks, targets, weights / weights.sum()
        self._span: Coordinates | None = None
        self._size = next(iter(blocks)).shape[1]
        if len(targets) < min(self._size, _MOST_COORDINATES):
            standardised = np.concatenate([*blocks])
            self._span = Coordinates.of(standardised @ standardised.T)
            self._basis, self._blocks = standardised[self._span.images], self._span.blocks
            self._size = len(self._span.images)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self._targets.shape[1])

    def solve(
        self,
        l2: float,
        start: LogisticModel | None = None,
        callback: OnIteration | None = None,
        tolerance: float = TOLERANCE,
    ) -> LogisticModel:
        """Return the optimum; `callback` is called with the model after every iteration, `start` is where to begin."""
        size, classes = self._size, self.classes

        def unpacked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return values[:-classes].reshape(size, classes), values[-classes:]

        def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
            kernel, bias = unpacked(values)
            value, of_kernel, of_bias = l2 * (kernel**2).sum(), 2 * l2 * kernel, np.zeros(classes)
            for rows, block in self._pass():
                logits = block @ kernel + bias
                logits -= logits.max(axis=1, keepdims=True)  # no exponential is too large
                exponentials = np.exp(logits)
                sums = exponentials.sum(axis=1, keepdims=True)
                losses = (self._targets[rows] * (np.log(sums) - logits)).sum(axis=1)
                errors = (exponentials / sums - self._targets[rows]) * self._weights[rows, None]
                value += self._weights[rows] @ losses
                of_kernel += block.T @ errors
                of_bias += errors.sum(axis=0)
            return float(value), np.concatenate([of_kernel.ravel(), of_bias])

        first = np.zeros((size + 1) * classes)
        if start is not None:
            kernel = start.kernel if self._span is None else _solved(self._span.factor, self._basis @ start.kernel)
            first = np.concatenate([kernel.ravel(), start.bias])
        found = minimize(
            objective,
            first,
            jac=True,
            method="L-BFGS-B",
            callback=(lambda values: callback(self._model(*unpacked(values)))) if callback else None,
            options={"maxiter": _MOST_ITERATIONS, "maxfun": 2 * _MOST_ITERATIONS, "ftol": 1e-15, "gtol": tolerance},
        )
        return self._model(*unpacked(found.x))

    def _pass(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield each block with the numbers of its rows."""
        start = 0
        for block in self._blocks:
            yield slice(start, start + len(block)), block
            start += len(block)

    def _model(self, kernel: np.ndarray, bias: np.ndarray) -> LogisticModel:
        if self._span is not None:
            kernel = self._basis.T @ _solved(self._span.factor, kernel, "T")
        return LogisticModel(kernel, bias - bias.mean())


def _solved(factor: np.ndarray, values: np.ndarray, transposed: Literal["N", "T"] = "N") -> np.ndarray:
    """Return `factor`^-1 `values`, or with "T" the same of the transposed lower triangular factor."""
    return np.asarray(solve_triangular(factor, values, lower=True, trans=transposed, check_finite=False))
