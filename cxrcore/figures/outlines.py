"""Outlines of masks over an image."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cxrcore.data.errors import ImageError
from cxrcore.data.images import load_mask

LUNGS, LESIONS = (64, 196, 255), (255, 176, 32)  # RGB; both are 3:1 and more on black and on mid grey


@dataclass(frozen=True)
class Masks:
    """The mask files of an image, "" where there is none; of any size, they cover the same field as the image."""

    lungs: str = ""
    lesions: str = ""


def draw(picture: np.ndarray, masks: Masks) -> np.ndarray:
    """Return a copy of `picture`, uint8 (H, W, 3), with the outlines of its masks.

    Raises:
        ImageError: a mask file is missing or damaged.
    """
    outlined = picture.copy()
    thickness = max(1, round(max(picture.shape) / 400))
    for path, colour in ((masks.lungs, LUNGS), (masks.lesions, LESIONS)):
        if path:
            inside = _resized(path, picture.shape[:2])
            contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(outlined, contours, -1, colour, thickness)
    return outlined


def _resized(path: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        mask = load_mask(Path(path)).astype(np.uint8)
    except ImageError as error:
        raise ImageError("the mask {name} cannot be read: {error}", name=Path(path).name, error=error) from error
    return cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
