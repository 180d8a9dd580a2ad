"""Multinomial logistic regression on standardised features, solved to convergence.

Minimised is sum_i w_i CE(softmax(z_i W + b), y_i) / sum_i w_i + l2 |W|^2 with z the standardised features, w the
weights of the images and biases that are not regularised: scikit-learn's `LogisticRegression` with
C = 1 / (2 n l2). The problem is convex, so that L-BFGS (Liu & Nocedal 1989, doi:10.1007/BF01589116) reaches the optimum
from anywhere and nothing is drawn at random.

With fewer images than features, the optimum lies in the span of the images: z is replaced by its coordinates in an
orthonormal basis of that span, which leaves every logit and |W| unchanged. They are the rows of L in z z^T = L L^T
(Cholesky), and W = z^T A with L^T A the kernel in that basis.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

# Bounds of the gradient's largest component. At the first, probabilities agree with scikit-learn's to 1e-5; the second
# is enough to compare strengths.
TOLERANCE, COARSE = 1e-6, 3e-4
_MOST_ITERATIONS = 2_000
_MOST_COORDINATES = 3_000  # the factor of more images takes longer than it saves
_AT_ONCE = 256  # features
# Added to the diagonal of z z^T, as a share of its mean: without it, images that occur twice have no Cholesky factor.
_RIDGE = 1e-10

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
    def of(cls, vectors: np.ndarray) -> "Standardisation":
        """Return the mean and the standard deviation of float vectors (n, c)."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        # In parts, as each takes a float64 copy.
        starts = range(0, vectors.shape[1], _AT_ONCE)
        scale = np.concatenate([vectors[:, k : k + _AT_ONCE].std(axis=0, dtype=np.float64) for k in starts])
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


class Problem:
    """Training images, ready to be solved for several strengths of regularisation."""

    def __init__(self, standardised: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> None:
        """Prepare the coordinates of the images.

        Args:
            standardised: features of the training images, float (n, c).
            targets: distribution over the classes of each image, float (n, classes): one-hot without smoothing.
            weights: of each image, float (n,), at least 0.
        """
        self._targets, self._weights = targets, weights / weights.sum()
        self._inputs = self._standardised = standardised
        self._in_span = standardised.shape[0] < min(standardised.shape[1], _MOST_COORDINATES)
        if self._in_span:
            products = standardised @ standardised.T
            products[np.diag_indices_from(products)] += max(_RIDGE * np.diagonal(products).mean(), _RIDGE)
            self._inputs = np.linalg.cholesky(products)

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
        size, classes = self._inputs.shape[1], self._targets.shape[1]

        def unpacked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return values[:-classes].reshape(size, classes), values[-classes:]

        def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
            kernel, bias = unpacked(values)
            logits = self._inputs @ kernel + bias
            normaliser = logsumexp(logits, axis=1, keepdims=True)
            losses = (self._targets * (normaliser - logits)).sum(axis=1)
            errors = (np.exp(logits - normaliser) - self._targets) * self._weights[:, None]
            gradient = self._inputs.T @ errors + 2 * l2 * kernel
            value = self._weights @ losses + l2 * (kernel**2).sum()
            return float(value), np.concatenate([gradient.ravel(), errors.sum(axis=0)])

        first = np.zeros((size + 1) * classes)
        if start is not None:
            kernel = start.kernel
            if self._in_span:
                kernel = solve_triangular(self._inputs, self._standardised @ kernel, lower=True)
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

    def _model(self, kernel: np.ndarray, bias: np.ndarray) -> LogisticModel:
        if self._in_span:
            kernel = self._standardised.T @ solve_triangular(self._inputs, kernel, lower=True, trans="T")
        return LogisticModel(kernel, bias - bias.mean())
