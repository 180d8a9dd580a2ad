"""Temperature scaling: one number that makes the probabilities honest without changing an answer.

q_k = exp(z_k / T) / sum_j exp(z_j / T), with T fitted on validation images by their negative log likelihood (Guo et al.
2017, arXiv:1706.04599). The logits z are known from the probabilities up to a constant, which cancels: z = log p.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from cxrcore.evaluation.metrics import probability_columns

_RANGE = (np.log(0.05), np.log(20.0))
_SMALLEST = 1e-12  # float32 softmax gives 0 below 1e-38; a hundredth of a millionth of a millionth is as good as none


def temperature(validation: pd.DataFrame, classes: Sequence[str]) -> float | None:
    """Return the temperature, above 1 for a model surer than it should be, fitted on a prediction table.

    None where it cannot be told: without images, or where the best one lies at the end of what is searched (0.05 to
    20), as it does when every validation image is right.
    """
    if validation.empty:
        return None
    logits = _logits(validation, classes)
    true = validation["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()

    def loss(log_t: float) -> float:
        return -float(log_softmax(logits / np.exp(log_t), axis=1)[np.arange(len(true)), true].mean())

    best = float(minimize_scalar(loss, bounds=_RANGE, method="bounded").x)
    at_the_end = min(best - _RANGE[0], _RANGE[1] - best) < 0.01
    return None if at_the_end else float(np.exp(best))


def scaled(table: pd.DataFrame, classes: Sequence[str], temperature: float) -> pd.DataFrame:
    """Return the prediction table with the probabilities at this temperature; no answer changes."""
    probabilities = softmax(_logits(table, classes) / temperature, axis=1)
    return table.assign(**dict(zip(probability_columns(classes), probabilities.T, strict=True)))


def _logits(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return np.log(np.maximum(table[probability_columns(classes)].to_numpy(float), _SMALLEST))
