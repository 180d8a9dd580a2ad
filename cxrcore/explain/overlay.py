"""Drawing heatmaps over images."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cxrcore.evaluation.metrics import certainty
from cxrcore.explain import fonts

_SMALLEST, _SHORTEST = 11, 10  # pixels and characters of a banner's text
_OUTLINE = (255, 214, 0)
COLOUR_MAPS = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "jet": cv2.COLORMAP_JET,
}


def resize(heatmap: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the heatmap (h, w) at (height, width), float32 and not normalised: bilinear when enlarged, the mean of the
    cells that fall together when reduced.
    """
    smaller = height < heatmap.shape[0] and width < heatmap.shape[1]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(heatmap.astype(np.float32), (width, height), interpolation=interpolation)


def scaled(heatmap: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a heatmap (h, w) at (height, width), uint8, scaled so that its maximum is 255; one that is 0 stays 0."""
    large = resize(heatmap, height, width)
    maximum = float(large.max())
    return np.clip(large * (255 / maximum if maximum > 0 else 0), 0, 255).astype(np.uint8)


def overlay(
    image: np.ndarray, heatmap: np.ndarray, opacity: float = 0.5, colours: str = "viridis", threshold: float = 0
) -> np.ndarray:
    """Return uint8 (H, W, 3): the coloured heatmap over `image`, uint8 (H, W, 3), with this opacity, 0 to 1.

    The heatmap, float (h, w) and at least 0, is scaled to its own maximum; where it is below `threshold`, a share of
    the maximum, the image is not covered.
    """
    height, width = image.shape[:2]
    covered = cv2.addWeighted(coloured(heatmap, height, width, colours), opacity, image, 1 - opacity, 0)
    above = scaled(heatmap, height, width) >= 255 * threshold
    return np.where(above[..., None], covered, image)


def coloured(heatmap: np.ndarray, height: int, width: int, colours: str = "viridis") -> np.ndarray:
    """Return a heatmap (h, w) by itself, uint8 (height, width, 3), scaled to its own maximum."""
    levels = scaled(heatmap, height, width)
    return cv2.cvtColor(cv2.applyColorMap(levels, COLOUR_MAPS[colours]), cv2.COLOR_BGR2RGB)


def contour(image: np.ndarray, heatmap: np.ndarray, share: float) -> np.ndarray:
    """Return `image`, uint8 (H, W, 3), with the outline of where the heatmap is at least `share` of its maximum."""
    drawn = image.copy()
    if heatmap.max() <= 0:
        return drawn
    above = (scaled(heatmap, *image.shape[:2]) >= 255 * share).astype(np.uint8)
    outlines, _ = cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.drawContours(drawn, outlines, -1, _OUTLINE, max(1, image.shape[1] // 250))


def banner(image: np.ndarray, text: str) -> np.ndarray:
    """Return `image`, uint8 (H, W, 3), under a dark strip with `text`, for example `COVID: 99%`.

    A long text is written smaller, and loses its middle where that is not enough.
    """
    height, width = image.shape[:2]
    strip = max(20, height // 10)
    picture = Image.new("RGB", (width, height + strip), (20, 20, 24))
    picture.paste(Image.fromarray(image), (0, strip))
    font, left = fonts.font(text, strip * 0.62), strip // 4
    font = fonts.font(text, min(strip * 0.62, max(_SMALLEST, font.size * (width - 2 * left) / font.getlength(text))))
    text = _fitting(text, font, width - 2 * left)
    ImageDraw.Draw(picture).text((left, strip // 2), text, "white", font, anchor="lm")
    return np.asarray(picture)


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return the text, without so many characters of its middle that it is at most `width` pixels wide."""
    short = text
    for most in range(len(text) - 1, _SHORTEST, -1):
        if font.getlength(short) <= width:
            break
        end = max(most // 2, len("ab: >99%"))  # the probability stays
        short = f"{text[: most - 1 - end]}…{text[-end:]}"
    return short


def label_text(label: str, probability: float) -> str:
    """Return the banner's text, for example `COVID: 97%`."""
    return f"{label}: {certainty(probability)}"
