"""An uploaded image, decoded once: what the Explain page shows of it, what a model sees of it, and how it looks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrcore.audits.dataset import outliers
from cxrcore.data import images
from cxrcore.data.images import Upload
from cxrcore.progress import Progress, ignore


@dataclass(frozen=True)
class UploadedImage:
    """Small copies of an image; the whole one is not kept.

    Attributes:
        shown: uint8 (H, W, 3), undistorted, at most 640 pixels a side.
        pixels: as `images.load` returns them, uint8 (size, size, 3).
        shape_issue: the check that flags it, see `outliers.shape_issue`.
    """

    shown: npt.NDArray[np.uint8]
    pixels: npt.NDArray[np.uint8]
    shape_issue: str


def decode(upload: Upload, size: int, progress: Progress = ignore) -> UploadedImage:
    """Return the small copies of an image for a model that takes `size` pixels a side; no progress is reported.

    Raises:
        ImageError: the image cannot be read.
    """
    with images.opened(upload.content) as decoded:
        pixels = images.pixels(decoded.image, size)
        issue = outliers.shape_issue(decoded.image)
        return UploadedImage(images.reduced(decoded.image), pixels, issue)
