"""Methods that predict on altered images: slower than the CAM family, and not limited to a layer's resolution.

The explained score S is a sum of logits, `scores` (s, classes) times the logits. Each function takes the model, one
image uint8 (size, size, 3), the scores and the chosen layer's map (h, w, c), and returns heatmaps (s, h', w') that are
at least 0. `progress(done, total)` is called after every batch.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import cv2
import numpy as np

from cxrcore.features.extract import BATCH
from cxrcore.progress import Progress

GRID = 10  # occluded patches per side
STEPS = 32  # from the black image to the image


class Model(Protocol):
    """What the methods need of a model; see `inference.logit_model.LogitModel`."""

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of raw pixels, 0 to 255, (n, size, size, 3)."""

    def gradients(self, pixels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the gradients of the scores, float32 (n, s, size, size, 3)."""


PerturbationFunction = Callable[[Model, np.ndarray, np.ndarray, np.ndarray, Progress], np.ndarray]


def occlusion(
    model: Model, pixels: np.ndarray, scores: np.ndarray, layer: np.ndarray, progress: Progress
) -> np.ndarray:
    """L_p = ReLU(S(x) - S(x with patch p at the image's mean grey)), patches in a grid (Zeiler & Fergus 2014)."""
    edges = np.linspace(0, len(pixels), GRID + 1).astype(int)
    cells = [(i, j) for i in range(GRID) for j in range(GRID)]

    def occluded(cell: tuple[int, int]) -> np.ndarray:
        image, (i, j) = pixels.astype(np.float32), cell
        image[edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = pixels.mean()
        return image

    before = model.logits(pixels[None].astype(np.float32)) @ scores.T
    after = _logits(model, map(occluded, cells), len(cells), progress) @ scores.T
    return np.asarray(np.maximum((before - after).T.reshape(-1, GRID, GRID), 0))


def score_cam(
    model: Model, pixels: np.ndarray, scores: np.ndarray, layer: np.ndarray, progress: Progress
) -> np.ndarray:
    """L = ReLU(sum_k alpha_k A_k), alpha = softmax over k of S(x * H_k) (Wang et al. 2020).

    H_k is the channel A_k enlarged to the image and scaled from 0 to 1. S of the black image, which the paper
    subtracts, cancels in the softmax.
    """
    channels = [k for k in range(layer.shape[-1]) if np.ptp(layer[..., k]) > 0]

    def masked(k: int) -> np.ndarray:
        mask = cv2.resize(layer[..., k].astype(np.float32), pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(pixels * ((mask - mask.min()) / max(float(np.ptp(mask)), 1e-12))[..., None])

    if not channels:
        return np.zeros((len(scores), *layer.shape[:2]), np.float32)
    masked_scores = _logits(model, map(masked, channels), len(channels), progress) @ scores.T
    exponents = np.exp(masked_scores - masked_scores.max(axis=0))
    alpha = exponents / exponents.sum(axis=0)
    return np.asarray(np.maximum(np.einsum("ks,hwk->shw", alpha, layer[..., channels]), 0))


def integrated_gradients(
    model: Model, pixels: np.ndarray, scores: np.ndarray, layer: np.ndarray, progress: Progress
) -> np.ndarray:
    """L = ReLU of `path_integral`: what a pixel, its channels together, adds to the score."""
    return np.asarray(np.maximum(path_integral(model, pixels, scores, progress), 0))


def path_integral(model: Model, pixels: np.ndarray, scores: np.ndarray, progress: Progress) -> np.ndarray:
    """Return IG = x * mean over t in (0, 1) of dS/dx at t x, summed over channels, (s, size, size) (Sundararajan et
    al. 2017), by the midpoint rule, with the black image as baseline: the sum over pixels is S(x) - S(black).
    """
    midpoints = (np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS
    total = np.zeros((len(scores), *pixels.shape), np.float32)
    for start in range(0, STEPS, BATCH):
        path = midpoints[start : start + BATCH, None, None, None] * pixels
        total += model.gradients(path, scores).sum(axis=0)
        progress(min(start + BATCH, STEPS), STEPS)
    return np.asarray((total / STEPS * pixels).sum(axis=-1))


def _logits(model: Model, images: Iterable[np.ndarray], count: int, progress: Progress) -> np.ndarray:
    """Return the logits (count, classes) of images that are made as they are needed."""
    outputs: list[np.ndarray] = []
    batch: list[np.ndarray] = []
    for number, image in enumerate(images, 1):
        batch.append(image)
        if len(batch) == BATCH or number == count:
            outputs.append(model.logits(np.stack(batch)))
            batch = []
            progress(number, count)
    return np.concatenate(outputs)
