"""The explanation methods: the CAM family, each a small function of a layer's map and a gradient, and those of
`perturbation`.

A is the map of a layer, (..., h, w, c), G = dS / dA the gradient of the explained score S, of the same shape or with
one more leading axis, for several scores at once. S is a class's logit, or the difference of two. Every CAM function
returns heatmaps (..., h, w), at least 0 and not normalised.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cxrcore.errors import UserError
from cxrcore.explain import perturbation
from cxrcore.explain.layers import POOLED
from cxrcore.explain.perturbation import PerturbationFunction
from cxrcore.i18n import N_

CamFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]
_CELLS = (-3, -2)


def grad_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k alpha_k A_k), alpha_k = mean_ij G_ijk (Selvaraju et al. 2017)."""
    return _relu(np.einsum("...ijk,...k->...ij", a, g.mean(axis=_CELLS)))


def grad_cam_plus_plus(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k w_k A_k), w_k = sum_ij alpha_ijk ReLU(G_ijk) (Chattopadhay et al. 2018, equations 10 and 19).

    alpha_ijk = G^2 / (2 G^2 + G^3 sum_ab A_abk), 0 where G is 0.
    """
    square = g**2
    denominator = 2 * square + square * g * a.sum(axis=_CELLS, keepdims=True)
    alpha = np.divide(square, denominator, out=np.zeros_like(g), where=np.abs(denominator) > 1e-20)
    weights = (alpha * np.maximum(g, 0)).sum(axis=_CELLS, keepdims=True)
    return _relu((weights * a).sum(axis=-1))


def hires_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k G_ijk A_ijk): the gradient of each cell, without a mean over cells (Draelos & Carin 2020)."""
    return _relu((g * a).sum(axis=-1))


def layer_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(sum_k ReLU(G_ijk) A_ijk) (Jiang et al. 2021)."""
    return _relu((np.maximum(g, 0) * a).sum(axis=-1))


def eigen_cam(a: np.ndarray, g: np.ndarray) -> np.ndarray:
    """L = ReLU(A v), v the first right singular vector of A as a matrix of cells by channels (Muhammad & Yeasin 2020).

    It is the same for every class. The vector's sign is arbitrary: the one with the larger sum of A v is taken.
    """
    matrix = a.reshape(*a.shape[:-3], -1, a.shape[-1])
    across = np.swapaxes(matrix, -1, -2)
    if matrix.shape[-2] < matrix.shape[-1]:  # a deep layer has few cells and many channels: v is A^T u, scaled to 1
        first = across @ np.linalg.eigh(matrix @ across)[1][..., -1:]
        first = first / np.maximum(np.linalg.norm(first, axis=-2, keepdims=True), 1e-30)
    else:
        first = np.linalg.eigh(across @ matrix)[1][..., -1:]
    projection = (matrix @ first)[..., 0]
    projection = projection * np.where(projection.sum(axis=-1, keepdims=True) < 0, -1, 1)
    heatmap = _relu(projection.reshape(a.shape[:-1]))
    return np.ascontiguousarray(np.broadcast_to(heatmap, g.shape[:-1]))


@dataclass(frozen=True)
class Method:
    """An explanation method: either `cam_fn` or `perturbation_fn` is given.

    Attributes:
        title: its name.
        paper: its source.
        cam_fn: from a layer's map and gradient to a heatmap.
        perturbation_fn: from a model and an image to a heatmap, by predictions on altered images.
        class_specific: whether the heatmap depends on the class that is explained.
        softmax: whether the score is the probability instead of the logit.
        layer: the only layer it is defined for, where a run has it; "" for any.
        uses_layer: whether the heatmap depends on a layer.
        passes: how many images the model computes, for a layer with so many channels.
    """

    title: str
    paper: str
    cam_fn: CamFunction | None = None
    perturbation_fn: PerturbationFunction | None = None
    class_specific: bool = True
    softmax: bool = False
    layer: str = ""
    uses_layer: bool = True
    passes: Callable[[int], int] = lambda channels: 3


METHODS = {
    "grad-cam": Method("Grad-CAM", "Selvaraju et al. 2017, arXiv:1610.02391", grad_cam),
    "tutorial": Method(
        N_("Grad-CAM, as in the tutorials"),
        N_("Selvaraju et al. 2017, of the probability at the pooled layer"),
        grad_cam,
        softmax=True,
        layer=POOLED,
    ),
    "grad-cam++": Method("Grad-CAM++", "Chattopadhay et al. 2018, arXiv:1710.11063", grad_cam_plus_plus),
    "hirescam": Method("HiResCAM", "Draelos & Carin 2020, arXiv:2011.08891", hires_cam),
    "layercam": Method("LayerCAM", "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943", layer_cam),
    "eigen-cam": Method("Eigen-CAM", "Muhammad & Yeasin 2020, arXiv:2008.00299", eigen_cam, class_specific=False),
    "score-cam": Method(
        "Score-CAM",
        "Wang et al. 2020, arXiv:1910.01279",
        perturbation_fn=perturbation.score_cam,
        passes=lambda channels: channels,
    ),
    "integrated-gradients": Method(
        N_("Integrated gradients"),
        "Sundararajan et al. 2017, arXiv:1703.01365",
        perturbation_fn=perturbation.integrated_gradients,
        uses_layer=False,
        passes=lambda channels: 3 * perturbation.STEPS,  # a gradient costs about two passes more
    ),
    "occlusion": Method(
        N_("Occlusion"),
        "Zeiler & Fergus 2014, arXiv:1311.2901",
        perturbation_fn=perturbation.occlusion,
        uses_layer=False,
        passes=lambda channels: perturbation.GRID**2,
    ),
}
GRADIENT_METHODS = [name for name, method in METHODS.items() if method.cam_fn]


def get(name: str) -> Method:
    """Return the method `name`; raise `UserError` for a name that is not in the table."""
    if name not in METHODS:
        raise UserError(
            "method: expected one of {expected}. Received: {name!r}", expected=", ".join(METHODS), name=name
        )
    return METHODS[name]


def fixed_layer(name: str, choices: Sequence[str]) -> str:
    """Return the only one of `layers.choices` that a method can explain, "" if it can explain any."""
    method = METHODS[name]
    if not method.uses_layer:
        return choices[0]
    return method.layer if method.layer in choices else ""


def logit_weights(method: str, scores: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the weights of the logits, (s, classes), whose sum a method explains for scores (s, classes).

    The gradient of a probability is a sum of those of the logits: dP_k = P_k (dS_k - sum_j P_j dS_j).
    """
    if not METHODS[method].softmax:
        return scores
    return np.asarray(scores @ (np.diag(probabilities) - np.outer(probabilities, probabilities)))


def _relu(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(values, 0))
