"""Two images beside each other with their difference."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cxrcore.figures import thumbnails

GAIN = 4


@dataclass(frozen=True)
class Comparison:
    """Two images and their difference as data URLs; `mean` is the mean absolute difference, 0 to 255 grey levels.

    The picture of the difference is `GAIN` times as bright, so that small ones can be seen.
    """

    first: str
    second: str
    difference: str
    mean: float


def compare(first: Path, second: Path, side: int) -> Comparison:
    """Return two images of at most `side` pixels with the absolute difference of their grey values.

    The second image is scaled to the size of the first, whatever its own shape: a copy that was cropped differs along
    every edge.

    Raises:
        ImageError: one cannot be read.
    """
    images = [thumbnails.small(path, side) for path in (first, second)]
    pixels = grey_difference(*images)
    shown = Image.fromarray(np.minimum(pixels.astype(np.uint16) * GAIN, 255).astype(np.uint8)).convert("RGB")
    a, b, c = (thumbnails.data_url(image) for image in (*images, shown))
    return Comparison(a, b, c, float(pixels.mean()))


def grey_difference(first: Image.Image, second: Image.Image) -> npt.NDArray[np.uint8]:
    """Return |a - b| of the grey values, uint8 (h, w) of the first image; the second is scaled to its size."""
    a = np.asarray(first.convert("L")).astype(np.int16)
    b = np.asarray(second.convert("L").resize(first.size, Image.Resampling.BILINEAR)).astype(np.int16)
    difference: npt.NDArray[np.uint8] = np.abs(a - b).astype(np.uint8)
    return difference
