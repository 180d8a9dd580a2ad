"""Image transforms before the backbone: to measure which part of the images a model needs, or to remove what it should
not use.

A name is one transform or several, joined by `+` and applied in this order. A transform that needs lungs takes them
from `masks` where they are given, else from `lung_segmenter.segment` on the original image; an image whose lungs are
not known stays as it is. An audit masks the image before a mitigation is applied: equalising, for one, spreads
information from the lungs over all pixels.
"""

import re
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from cxrcore.errors import UserError
from cxrcore.features import lung_segmenter
from cxrcore.i18n import N_

Box = tuple[float, float, float, float]  # top, bottom, left, right, as shares of the sides
Masks = Sequence[np.ndarray | None]
MARGIN = 0.04  # around the lungs, as a share of the side
WHOLE: Box = (0.0, 1.0, 0.0, 1.0)
_MATCHED: Box = (0.08, 0.92, 0.08, 0.92)
_NEED_LUNGS = {"only-lungs", "no-lungs", "crop"}

LUNGS_FROM_FILES = "files"  # in place of the segmenter's digest, see `FeatureKey.lungs`

# The transforms that a run can be trained with, and their labels.
TRANSFORMS = {
    "": N_("none"),
    "only-lungs": N_("lungs only, all else black"),
    "crop": N_("crop to the lungs"),
    "match": N_("harmonise the sources (frame, sharpness, histogram)"),
    "markers": N_("remove markers and letters"),
    "equalise": N_("histogram equalisation"),
}


def border(width: int) -> str:
    """Return the name of the transform that leaves only a border of `width` pixels and blacks out the rest."""
    return f"border:{width}"


def needs_lungs(name: str) -> bool:
    """Return whether a transform depends on where the lungs are."""
    return bool(_NEED_LUNGS & set(name.split("+")))


def apply(pixels: np.ndarray, name: str, masks: Masks | None = None) -> np.ndarray:
    """Return uint8 (n, size, size, 3) after the transform `name`; "" changes nothing.

    `masks` are the lungs of each image, boolean (H, W), None where they are not known.

    Raises:
        UserError: no such transform.
    """
    parts = [_checked(part) for part in filter(None, name.split("+"))]
    if not parts:
        return pixels
    found = _lungs(pixels, name, masks)
    return np.stack([_transformed(image, parts, mask) for image, mask in zip(pixels, found, strict=True)])


def boxes(pixels: np.ndarray, name: str, masks: Masks | None = None) -> list[Box]:
    """Return the part of the frame that the transform `name` keeps of each image (n, size, size, 3)."""
    found = _lungs(pixels, name, masks)
    return [_frame(name.split("+"), mask) for mask in found]


def changes_frame(name: str) -> bool:
    """Return whether a transform changes the frame of images, so that `boxes` are needed to locate a point."""
    return bool({"crop", "match"} & set(name.split("+")))


def box(mask: np.ndarray) -> Box:
    """Return the box of a mask, boolean (H, W) and not empty, with a margin."""
    shares = []
    for axis in (1, 0):
        inside, side = np.flatnonzero(mask.any(axis=axis)), mask.shape[1 - axis]
        shares += [inside[0] / side - MARGIN, (inside[-1] + 1) / side + MARGIN]
    top, bottom, left, right = np.clip(shares, 0, 1)
    return float(top), float(bottom), float(left), float(right)


def cut(image: np.ndarray, part: Box) -> np.ndarray:
    """Return the part of an image (H, W, ...) in a box, enlarged to (H, W)."""
    height, width = image.shape[:2]
    top, bottom, left, right = (
        round(share * side) for share, side in zip(part, (height, height, width, width), strict=True)
    )
    return cv2.resize(image[top:bottom, left:right], (width, height), interpolation=cv2.INTER_CUBIC)


def _checked(part: str) -> str:
    kind, _, value = part.partition(":")
    if (kind == "border" and re.fullmatch("[0-9]{1,5}", value)) or (
        not value and (part in _NEED_LUNGS or part in _PLAIN)
    ):
        return part
    expected = ", ".join(["border:<pixels>", *sorted(_NEED_LUNGS), *_PLAIN])
    raise UserError("image_transform: expected {expected}. Received: {name!r}", expected=expected, name=part)


def _lungs(pixels: np.ndarray, name: str, masks: Masks | None) -> list[np.ndarray | None]:
    if masks is not None:
        return list(masks)
    if not needs_lungs(name):
        return [None] * len(pixels)
    return [None if found.refused else found.mask for found in lung_segmenter.segment(pixels)]


def _frame(parts: Sequence[str], mask: np.ndarray | None) -> Box:
    if "crop" in parts and mask is not None:
        return box(mask)
    return _MATCHED if "match" in parts else WHOLE


def _transformed(image: np.ndarray, parts: Sequence[str], mask: np.ndarray | None) -> np.ndarray:
    for part in parts:
        if part.startswith("border:"):
            image = _border(image, int(part.partition(":")[2]))
        elif part in _PLAIN:
            image = _PLAIN[part](image)
        elif mask is None:
            continue
        elif part == "crop":
            image = cut(image, box(mask))
        else:
            inside = cv2.resize(mask.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)[..., None]
            image = image * (inside if part == "only-lungs" else 1 - inside)
    return image


def _border(image: np.ndarray, width: int) -> np.ndarray:
    masked = image.copy()
    masked[width:-width, width:-width] = 0
    return masked


def _equalise(image: np.ndarray) -> np.ndarray:
    """Histogram equalisation of the grey image."""
    return np.repeat(cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[..., None], 3, axis=-1)


def _match(image: np.ndarray) -> np.ndarray:
    """Reduce differences between hospitals in frame, sharpness and exposure: the outer 8 % are cut off, detail finer
    than a 96th of the side is removed, and the histogram is equalised.
    """
    blurred = cv2.resize(cut(image, _MATCHED), (96, 96), interpolation=cv2.INTER_AREA)
    return _equalise(cv2.resize(blurred, image.shape[1::-1], interpolation=cv2.INTER_CUBIC))


def _remove_markers(image: np.ndarray) -> np.ndarray:
    """Inpaint small bright objects in the outer fifth of the image from their surroundings (Telea 2004)."""
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


_PLAIN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "match": _match,
    "markers": _remove_markers,
    "equalise": _equalise,
}
