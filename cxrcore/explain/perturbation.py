"""Methods that ask a whole model about altered images: dearer than the CAM family, and free of its layer's coarseness.

The explained score S is a sum of logits, `scores` (s, classes) times the logits. Each function takes the model, one
image uint8 (size, size, 3), the scores and the chosen layer's map (h, w, c), and returns heatmaps (s, h', w') that are
at least 0. `progress(done, total)` hears of every batch.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import cv2
import numpy as np

from cxrcore.features.extract import BATCH

GRID = 10  # patches a side that are covered in turn
STEPS = 32  # on the way from black to the image
Progress = Callable[[int, int], None]


class Model(Protocol):
    """What is asked; see `whole.LogitModel`."""

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of raw pixels, 0 to 255, (n, size, size, 3)."""

    def gradients(self, pixels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the gradients of the scores, float32 (n, s, size, size, 3)."""


def occlusion(
    model: Model, pixels: np.ndarray, scores: np.ndarray, layer: np.ndarray, progress: Progress
) -> np.ndarray:
    """L_p = ReLU(S(x) - S(x with patch p at the image's mean grey)), patches in a grid (Zeiler & Fergus 2014)."""
    edges = np.linspace(0, len(pixels), GRID + 1).astype(int)
    places = [(i, j) for i in range(GRID) for j in range(GRID)]

    def covered(place: tuple[int, int]) -> np.ndarray:
        altered, (i, j) = pixels.astype(np.float32), place
        altered[edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = pixels.mean()
        return altered

    before = model.logits(pixels[None].astype(np.float32)) @ scores.T
    after = _asked(model, map(covered, places), len(places), progress) @ scores.T
    return np.maximum((before - after).T.reshape(-1, GRID, GRID), 0)


def score_cam(
    model: Model, pixels: np.ndarray, scores: np.ndarray, layer: np.ndarray, progress: Progress
) -> np.ndarray:
    """L = ReLU(sum_k alpha_k A_k), alpha = softmax over k of S(x * H_k), H_k the channel A_k enlarged to the image and
    scaled from 0 to 1 (Wang et al. 2020). S of the black image, which the paper takes off, cancels in the softmax.
    """  # fmt: skip
    telling = [k for k in range(layer.shape[-1]) if np.ptp(layer[..., k]) > 0]

    def masked(k: int) -> np.ndarray:
        mask = cv2.resize(layer[..., k].astype(np.float32), pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return pixels * ((mask - mask.min()) / max(float(np.ptp(mask)), 1e-12))[..., None]

    if not telling:
        return np.zeros((len(scores), *layer.shape[:2]), np.float32)
    found = _asked(model, map(masked, telling), len(telling), progress) @ scores.T
    share = np.exp(found - found.max(axis=0))
    alpha = share / share.sum(axis=0)
    return np.maximum(np.einsum("ks,hwk->shw", alpha, layer[..., telling]), 0)


def integrated_gradients(
    model: Model, pixels: np.ndarray, scores: np.ndarray, layer: np.ndarray, progress: Progress
) -> np.ndarray:
    """L = ReLU of `path_integral`: what a pixel, its channels together, adds to the score."""
    return np.maximum(path_integral(model, pixels, scores, progress), 0)


def path_integral(model: Model, pixels: np.ndarray, scores: np.ndarray, progress: Progress) -> np.ndarray:
    """Return IG = x * mean over t in (0, 1) of dS/dx at t x, summed over channels, (s, size, size) (Sundararajan et
    al. 2017), by the midpoint rule: from black, all of it sums to S(x) - S(black).
    """
    middles = (np.arange(STEPS, dtype=np.float32) + 0.5) / STEPS
    total = np.zeros((len(scores), *pixels.shape), np.float32)
    for start in range(0, STEPS, BATCH):
        way = middles[start : start + BATCH, None, None, None] * pixels
        total += model.gradients(way, scores).sum(axis=0)
        progress(min(start + BATCH, STEPS), STEPS)
    return (total / STEPS * pixels).sum(axis=-1)


def _asked(model: Model, images: Iterable[np.ndarray], count: int, progress: Progress) -> np.ndarray:
    """Return the logits (count, classes) of images that are made as they are needed."""
    found: list[np.ndarray] = []
    held: list[np.ndarray] = []
    for number, image in enumerate(images, 1):
        held.append(image)
        if len(held) == BATCH or number == count:
            found.append(model.logits(np.stack(held)))
            held = []
            progress(number, count)
    return np.concatenate(found)
