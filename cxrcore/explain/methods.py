"""The CAM family: one small hook a method, from a layer's map and the score's gradient to a heatmap.

A is the map of a layer, (..., h, w, c), G = dS / dA the gradient of the explained score S, of the same shape or with
a leading axis more, for several scores at once. S is a class's logit, or the difference of two. Every hook returns
(..., h, w), at least 0 and not normalised.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Hook = Callable[[np.ndarray, np.ndarray], np.ndarray]
_CELLS = (-3, -2)


def grad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k alpha_k A_k), alpha_k = mean_ij G_ijk (Selvaraju et al. 2017)."""
    return _positive((g.mean(axis=_CELLS, keepdims=True) * a).sum(axis=-1))


def grad_cam_plus_plus(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k w_k A_k), w_k = sum_ij alpha_ijk ReLU(G_ijk),
    alpha_ijk = G^2 / (2 G^2 + G^3 sum_ab A_abk), 0 where G is 0 (Chattopadhay et al. 2018, equations 10 and 19).
    """  # fmt: skip
    square = g**2
    below = 2 * square + square * g * a.sum(axis=_CELLS, keepdims=True)
    alpha = np.divide(square, below, out=np.zeros_like(g), where=np.abs(below) > 1e-20)
    weights = (alpha * np.maximum(g, 0)).sum(axis=_CELLS, keepdims=True)
    return _positive((weights * a).sum(axis=-1))


def hires_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k G_ijk A_ijk): no mean over cells, so that no cell borrows from another (Draelos & Carin 2020)."""
    return _positive((g * a).sum(axis=-1))


def layer_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k ReLU(G_ijk) A_ijk) (Jiang et al. 2021)."""
    return _positive((np.maximum(g, 0) * a).sum(axis=-1))


def eigen_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(A v), v the first right singular vector of A as a matrix of cells by channels (Muhammad & Yeasin 2020).

    It knows no class. The vector's sign is free: the one with the larger sum of A v is taken.
    """
    matrix = a.reshape(*a.shape[:-3], -1, a.shape[-1])
    first = np.linalg.svd(matrix, full_matrices=False)[2][..., :1, :]
    along = (matrix @ np.swapaxes(first, -1, -2))[..., 0]
    along = along * np.where(along.sum(axis=-1, keepdims=True) < 0, -1, 1)
    found = np.broadcast_to(_positive(along.reshape(a.shape[:-1])), g.shape[:-1])
    return np.ascontiguousarray(found)


@dataclass(frozen=True)
class Method:
    """A method of the family; `of_class` tells whether the class that is explained makes a difference."""

    title: str
    paper: str
    hook: Hook
    of_class: bool = True


METHODS = {
    "grad-cam": Method("Grad-CAM", "Selvaraju et al. 2017, arXiv:1610.02391", grad_cam),
    "grad-cam++": Method("Grad-CAM++", "Chattopadhay et al. 2018, arXiv:1710.11063", grad_cam_plus_plus),
    "hirescam": Method("HiResCAM", "Draelos & Carin 2020, arXiv:2011.08891", hires_cam),
    "layercam": Method("LayerCAM", "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943", layer_cam),
    "eigen-cam": Method("Eigen-CAM", "Muhammad & Yeasin 2020, arXiv:2008.00299", eigen_cam, of_class=False),
}


def _positive(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)
