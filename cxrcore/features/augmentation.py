"""Augmented copies of an image (rotation, shift, zoom, contrast), reproducible by image and number.

The changes are drawn from the image's hash and the view's number, not from the state of a generator: an extraction that
was interrupted continues with the same views, and a kept view belongs to one image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class AugmentationRanges:
    """How far a view may go: degrees, shares of the side, share of the size, share of the contrast; `flip` mirrors
    half of them.
    """

    rotation: float
    shift: float
    zoom: float
    contrast: float
    flip: bool = False


def augmented(pixels: np.ndarray, hashes: Sequence[str], number: int, ranges: AugmentationRanges) -> np.ndarray:
    """Return view `number`, from 1, of images uint8 (n, size, size, 3) with these SHA-256, in the same form.

    What comes into the frame from outside is the nearest pixel of the edge: black corners would tell a view.
    """
    return np.stack([_view(image, value, number, ranges) for image, value in zip(pixels, hashes, strict=True)])


def _view(image: np.ndarray, digest: str, number: int, ranges: AugmentationRanges) -> np.ndarray:
    draw = np.random.default_rng([int(digest[:16], 16), number])
    angle, right, down, zoom, contrast = draw.uniform(-1, 1, 5)
    mirrored = draw.random() < 0.5 and ranges.flip
    size = image.shape[0]
    centre = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), angle * ranges.rotation, 1 + zoom * ranges.zoom)
    matrix[:, 2] += np.array([right, down]) * ranges.shift * size
    source = image[:, ::-1] if mirrored else image
    moved = cv2.warpAffine(source, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mean = moved.mean()
    changed = mean + (moved - mean) * (1 + contrast * ranges.contrast)
    view: np.ndarray = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    return view
