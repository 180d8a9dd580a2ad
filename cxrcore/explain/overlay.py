"""Heatmaps as pictures."""

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cxrcore.evaluation.metrics import certainty

COLOUR_MAPS = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
    "magma": cv2.COLORMAP_MAGMA,
    "jet": cv2.COLORMAP_JET,
}


def enlarge(heatmap: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the heatmap (h, w), bilinear, at (height, width), float32 and not normalised."""
    return cv2.resize(heatmap.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)


def overlay(image: np.ndarray, heatmap: np.ndarray, opacity: float = 0.5, colours: str = "viridis") -> np.ndarray:
    """Return uint8 (H, W, 3): `opacity` of the coloured heatmap over `image`, uint8 (H, W, 3).

    The heatmap, float (h, w) and at least 0, is scaled so that its own maximum is 1; one that is 0
    everywhere stays 0.
    """
    large = enlarge(heatmap, *image.shape[:2])
    top = float(large.max())
    scaled = np.clip(large * (255 / top if top > 0 else 0), 0, 255).astype(np.uint8)
    coloured = cv2.cvtColor(cv2.applyColorMap(scaled, COLOUR_MAPS[colours]), cv2.COLOR_BGR2RGB)
    return cv2.addWeighted(coloured, opacity, image, 1 - opacity, 0)


def banner(image: np.ndarray, text: str) -> np.ndarray:
    """Return `image`, uint8 (H, W, 3), under a dark strip with `text`, for example `COVID: 99%`."""
    height, width = image.shape[:2]
    strip = max(20, height // 10)
    picture = Image.new("RGB", (width, height + strip), (20, 20, 24))
    picture.paste(Image.fromarray(image), (0, strip))
    font = ImageFont.load_default(size=strip * 0.62)
    ImageDraw.Draw(picture).text((strip // 4, strip // 2), text, "white", font, anchor="lm")
    return np.asarray(picture)


def label_text(label: str, probability: float) -> str:
    """Return the banner's text, for example `COVID: 97%`."""
    return f"{label}: {certainty(probability)}"
