"""Temperature scaling: one number that makes the probabilities honest without changing an answer.

q_k = exp(z_k / T) / sum_j exp(z_j / T), with T fitted on validation images by their negative log likelihood (Guo et al.
2017, arXiv:1706.04599). The logits z are known from the probabilities up to a constant, which cancels: z = log p.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax

from cxrcore.evaluation import intervals
from cxrcore.evaluation.metrics import probability_columns

# Temperatures that are tried, 0.05 to 20, each 1 % above the one before.
_TRIED = np.exp(np.arange(np.log(0.05), np.log(20), 0.01))
_SMALLEST = 1e-12  # float32 softmax gives 0 below 1e-38; a hundredth of a millionth of a millionth is as good as none
_BLOCK = 512


def temperature(validation: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Return the temperature, above 1 for a model surer than it should be, as `{"value", "ci95", "n"}`.

    The interval is the bootstrap over patients. The value is None where none can be told: without images, where every
    one is right (then the less the better), or where the best lies at the end of what is tried.
    """
    wrong = ~validation["correct"].to_numpy(bool)
    if not wrong.any():
        return {"value": None, "ci95": [None, None], "n": len(validation)}
    losses = _losses(validation, classes)
    best = int(losses.mean(axis=0).argmin())
    if best in (0, len(_TRIED) - 1):
        return {"value": None, "ci95": [None, None], "n": len(validation)}

    def fitted(weights: np.ndarray) -> np.ndarray:
        return _TRIED[(weights @ losses).argmin(axis=1)]

    low, high = intervals.weighted(list(validation["patient"]), fitted)
    return {"value": float(_TRIED[best]), "ci95": [float(low), float(high)], "n": len(validation)}


def scaled(table: pd.DataFrame, classes: Sequence[str], temperature: float) -> pd.DataFrame:
    """Return the prediction table with the probabilities at this temperature; no answer changes."""
    probabilities = softmax(_logits(table, classes) / temperature, axis=1)
    return table.assign(**dict(zip(probability_columns(classes), probabilities.T, strict=True)))


def _losses(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return the negative log likelihood of each image at each temperature, float32 (n, temperatures)."""
    logits = _logits(table, classes)
    true = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()
    found = np.empty((len(table), len(_TRIED)), np.float32)
    for start in range(0, len(table), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scaled_logits = logits[rows, None] / _TRIED[:, None]
        found[rows] = -np.take_along_axis(log_softmax(scaled_logits, axis=2), true[rows, None, None], axis=2)[..., 0]
    return found


def _logits(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return np.log(np.maximum(table[probability_columns(classes)].to_numpy(float), _SMALLEST))
