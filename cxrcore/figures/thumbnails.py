"""Image files as small pictures for a page or a report."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from cxrcore.data.images import open_rgb

_COLOUR = 4  # mean difference of the channels above which an image keeps its colours


def small(path: Path, side: int) -> Image.Image:
    """Return the image in RGB, undistorted, with at most `side` pixels at its longer side.

    Raises:
        ImageError: it cannot be read.
    """
    image = open_rgb(path)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def data_url(image: Image.Image, colour: bool = False) -> str:
    """Return a JPEG as a data URL; an image with hardly any colour is stored as grey, which is smaller.

    With `colour` it is never stored as grey: a thin coloured line counts.
    """
    pixels = np.asarray(image).astype(np.int16)
    grey = not colour and (pixels.max(axis=2) - pixels.min(axis=2)).mean() < _COLOUR
    buffer = io.BytesIO()
    image.convert("L" if grey else "RGB").save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
