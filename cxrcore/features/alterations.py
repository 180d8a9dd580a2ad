"""What is done to images before a backbone sees them: to find out which part of them a model needs, or to take away
what it should not need.

A name is one alteration or several, joined by `+` and done in this order. What needs lungs takes them from mask files
where `masks` are given, else from `lungs.segment`; an image whose lungs cannot be believed stays as it is.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from cxrcore.errors import UserError
from cxrcore.features import lungs
from cxrcore.language import said

MARGIN = 0.04  # around the lungs, as a share of the side
Masks = Sequence[np.ndarray | None]

# What can be chosen for a training, from the most to the least that it takes away.
CLEANINGS = {
    "": said("none"),
    "only-lungs": said("lungs only, all else black"),
    "crop": said("crop to the lungs"),
    "match": said("match the sources"),
    "markers": said("remove markers and letters"),
    "equalise": said("histogram equalisation"),
}


def border(width: int) -> str:
    """Return the name of the alteration that leaves only a border of `width` pixels and blacks out the rest."""
    return f"border:{width}"


def apply(pixels: np.ndarray, name: str, masks: Masks | None = None) -> np.ndarray:
    """Return uint8 (n, size, size, 3) after the alteration `name`; "" changes nothing.

    `masks` are the lungs of each image, boolean (H, W), None for the segmenter's.

    Raises:
        UserError: no such alteration.
    """
    for part in filter(None, name.split("+")):
        kind, _, value = part.partition(":")
        if kind == "border" and value.isdecimal():
            pixels = _border(pixels, int(value))
        elif kind in _WITH_LUNGS and not value:
            found = _lungs(pixels, masks)
            pixels = np.stack([_WITH_LUNGS[kind](*pair) for pair in zip(pixels, found, strict=True)])
        elif kind in _PLAIN and not value:
            pixels = np.stack([_PLAIN[kind](image) for image in pixels])
        else:
            expected = ", ".join(["border:<pixels>", *_WITH_LUNGS, *_PLAIN])
            raise UserError("alteration: expected {expected}. Received: {name!r}", expected=expected, name=part)
    return pixels


def box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Return top, bottom, left and right of a mask, boolean (H, W), with a margin, as shares 0 to 1."""
    shares = []
    for axis in (1, 0):
        inside = np.flatnonzero(mask.any(axis=axis))
        shares += [inside[0] / mask.shape[1 - axis] - MARGIN, (inside[-1] + 1) / mask.shape[1 - axis] + MARGIN]
    top, bottom, left, right = np.clip(shares, 0, 1)
    return float(top), float(bottom), float(left), float(right)


def boxes(pixels: np.ndarray, masks: Masks | None = None) -> list[tuple[float, float, float, float]]:
    """Return what `crop` leaves of each image, as shares 0 to 1: top, bottom, left, right."""
    return [box(mask) if mask is not None else (0.0, 1.0, 0.0, 1.0) for mask in _lungs(pixels, masks)]


def cut(image: np.ndarray, shares: tuple[float, float, float, float]) -> np.ndarray:
    """Return the part of an image (H, W, ...) in a box, enlarged to (H, W)."""
    height, width = image.shape[:2]
    top, bottom, left, right = (
        round(share * side) for share, side in zip(shares, (height, height, width, width), strict=True)
    )
    return cv2.resize(image[top:bottom, left:right], (width, height), interpolation=cv2.INTER_CUBIC)


def _lungs(pixels: np.ndarray, masks: Masks | None) -> list[np.ndarray | None]:
    if masks is not None:
        return list(masks)
    found, doubts = lungs.segment(pixels)
    return [None if doubt else mask for mask, doubt in zip(found, doubts, strict=True)]


def _border(pixels: np.ndarray, width: int) -> np.ndarray:
    altered = pixels.copy()
    altered[:, width:-width, width:-width] = 0
    return altered


def _crop(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    return image if mask is None else cut(image, box(mask))


def _only_lungs(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    return image if mask is None else image * _large(mask, image)


def _no_lungs(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    return image if mask is None else image * ~_large(mask, image)


def _large(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    size = (image.shape[1], image.shape[0])
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)[..., None].astype(bool)


def _equalise(image: np.ndarray) -> np.ndarray:
    """Every grey level becomes as frequent as any other."""
    return np.repeat(cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[..., None], 3, axis=-1)


def _match(image: np.ndarray) -> np.ndarray:
    """Hospitals differ in their frames, in how sharp their images are and in their exposure: the outer 8 % are cut off,
    detail finer than a 96th of the side is lost, and the histogram is made even."""
    blurred = cv2.resize(cut(image, (0.08, 0.92, 0.08, 0.92)), (96, 96), interpolation=cv2.INTER_AREA)
    return _equalise(cv2.resize(blurred, image.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def _no_markers(image: np.ndarray) -> np.ndarray:
    """Small bright things in the outer fifth of the image are painted over from around them (Telea 2004)."""
    grey, side = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), len(image)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side // 9 | 1, side // 9 | 1))
    bright = (cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel) > 50).astype(np.uint8)
    count, numbers, facts, centres = cv2.connectedComponentsWithStats(bright)
    found = np.zeros(grey.shape, np.uint8)
    for number in range(1, count):
        outer = bool((np.abs(centres[number] / side - 0.5) > 0.3).any())
        if outer and facts[number, cv2.CC_STAT_AREA] < 0.015 * side * side:
            found[numbers == number] = 1
    around = cv2.dilate(found, np.ones((3, 3), np.uint8))
    return cv2.inpaint(image, around, 3, cv2.INPAINT_TELEA) if found.any() else image


_WITH_LUNGS: dict[str, Callable[[np.ndarray, np.ndarray | None], np.ndarray]] = {
    "only-lungs": _only_lungs, "no-lungs": _no_lungs, "crop": _crop,
}  # fmt: skip
_PLAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "match": _match, "markers": _no_markers, "equalise": _equalise,
}  # fmt: skip
