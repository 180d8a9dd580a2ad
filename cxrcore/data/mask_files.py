"""The masks of an imported image: files of masks and boxes to at most one file of lungs and one of lesions."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cxrcore.data import roots
from cxrcore.data.archive import File
from cxrcore.data.errors import ImageError
from cxrcore.data.images import decode, mask_of, png
from cxrcore.files import write_bytes

# Masks of one image may be smaller than it, but not of another shape: the largest relative difference of the aspects.
_ASPECT = 0.05
_BEYOND = 2  # pixels that a box may leave its image by, from rounding


@dataclass(frozen=True)
class MaskWriter:
    """`folder`: the dataset's own; `allowed`: the folders that files may lie in, None for anywhere."""

    folder: Path
    allowed: Sequence[Path] | None

    def save(self, kind: str, digest: str, size: tuple[int, int], files: Sequence[File], boxes: str = "") -> str:
        """Return the path of the mask of one image, relative to the dataset's folder if it was written there.

        A single file on disk stays where it is. Several, those of an archive and boxes become one file, the union.

        Args:
            kind: the folder to write it to, `lungs` or `lesions`.
            digest: of the image.
            size: width and height of the image in pixels.
            files: the masks.
            boxes: a JSON list, see `readers.base`.

        Raises:
            ImageError: a mask cannot be read, or is of another shape than the image; a box leaves the image, as where
                the image is a resized copy and its boxes are those of the original.
        """
        masks = [*(self._read(file, size) for file in files), *_of_boxes(boxes, size)]
        if len(masks) == len(files) == 1 and files[0].path is not None:
            return str(files[0].path)
        if not masks:
            return ""
        largest = max(masks, key=lambda mask: mask.size)
        union = np.any([_resized(mask, largest.shape) for mask in masks], axis=0)
        relative = f"{kind}/{digest[:16]}.png"
        write_bytes(self.folder / relative, png(union))
        return relative

    def _read(self, file: File, size: tuple[int, int]) -> np.ndarray:
        if file.path is not None and not roots.contain(self.allowed, file.path):
            raise ImageError("the mask lies outside the permitted folders (CXR_DATA_ROOTS)", kind="outside")
        values = decode(file.read()).grey()
        height, width = values.shape
        if abs(width * size[1] / (height * size[0]) - 1) > _ASPECT:
            raise ImageError(
                "the mask has {width} x {height} pixels, the image {image_width} x {image_height}",
                width=width,
                height=height,
                image_width=size[0],
                image_height=size[1],
            )
        return mask_of(values)


def _of_boxes(boxes: str, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield a mask of all boxes, boolean (H, W)."""
    if not boxes:
        return
    width, height = size
    mask = np.zeros((height, width), bool)
    for _, x, y, w, h in json.loads(boxes):
        if min(x, y) < -_BEYOND or x + w > width + _BEYOND or y + h > height + _BEYOND:
            raise ImageError(
                "a box from ({left}, {top}) to ({right}, {bottom}) leaves the image of {width} x {height} pixels, "
                "which may be a resized copy",
                left=round(x),
                top=round(y),
                right=round(x + w),
                bottom=round(y + h),
                width=width,
                height=height,
            )
        mask[max(0, math.floor(y)) : max(0, math.ceil(y + h)), max(0, math.floor(x)) : max(0, math.ceil(x + w))] = True
    if mask.any():
        yield mask


def _resized(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if mask.shape == shape:
        return mask
    picture = Image.fromarray(mask.astype(np.uint8)).resize((shape[1], shape[0]), Image.Resampling.NEAREST)
    return np.asarray(picture, bool)
