"""What can be measured on one image in milliseconds, and what the audit of a dataset is made from."""

import hashlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cxrcore.data import perceptual_hashes, text_detection

_SIDE, _VIEW = perceptual_hashes.SIDE, 32
# The statistics that say nothing of the lungs' content: geometry and brightness of borders and corners ...
BORDER = [
    "log_pixels", "aspect", "border_top", "border_bottom", "border_left", "border_right", "border_spread",
    "corner_top_left", "corner_top_right", "corner_bottom_left", "corner_bottom_right",
]  # fmt: skip
# ... and of the whole image. Together the 20 trivial statistics of the source probe.
WHOLE = ["mean", *(f"histogram_{k}" for k in range(8))]
STATISTICS = [*BORDER, *WHOLE]
SCORES = ["upright", "turned", "letters", "chroma", "spread"]


def measure(image: Image.Image) -> dict[str, str | float]:
    """Return `pixels`, `hashes`, `STATISTICS` and `SCORES` of an RGB image.

    `pixels`: a hash of them. `hashes`: hexadecimal, see `hashes`.

    `upright`: correlation with a frontal chest radiograph, -1 to 1; near -1 if inverted. `turned`: the higher one of
    the two after a quarter turn. `letters`: letter-like shapes in one row in the border zone. `chroma`: the mean
    difference between the channels, 0 to 255. `spread`: the standard deviation of the grey values.
    """
    grey = image.convert("L")
    small = grey.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small)
    view = normalised(pixels)
    colour = np.asarray(image.resize((64, 64), Image.Resampling.BOX)).astype(np.int16)
    return {
        "pixels": hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()[:32],
        "hashes": perceptual_hashes.packed(small).tobytes().hex(),
        **_statistics(pixels, image.width, image.height),
        "upright": float((view * _template()).sum()),
        "turned": max(float((np.rot90(view, turn) * _template()).sum()) for turn in (1, 3)),
        "letters": float(text_detection.longest_row(np.asarray(grey))),
        "chroma": float((colour.max(axis=2) - colour.min(axis=2)).mean()),
        "spread": float(pixels.std()),
    }


def bits(text: str) -> np.ndarray:
    """Return hexadecimal hashes as uint8 (CROPS, 32)."""
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(perceptual_hashes.CROPS, perceptual_hashes.BITS // 8)


def normalised(grey: np.ndarray) -> np.ndarray:
    """Return a view of uint8 (H, W): float32 (32, 32), histogram equalised, mean 0 and norm 1."""
    small = cv2.equalizeHist(cv2.resize(grey, (_VIEW, _VIEW), interpolation=cv2.INTER_AREA))
    return _unit(cv2.GaussianBlur(small.astype(np.float32), (0, 0), 1))


@lru_cache(maxsize=1)
def _template() -> np.ndarray:
    with Image.open(Path(__file__).with_name("frontal.png")) as image:
        return _unit(np.asarray(image).astype(np.float32))


def _unit(view: np.ndarray) -> np.ndarray:
    centred = view - view.mean()
    return centred / (np.linalg.norm(centred) + 1e-6)


def _statistics(pixels: np.ndarray, width: int, height: int) -> dict[str, float]:
    edge, corner = _SIDE // 12, _SIDE // 6
    ring = np.concatenate(
        [pixels[:edge].ravel(), pixels[-edge:].ravel(), pixels[:, :edge].ravel(), pixels[:, -edge:].ravel()]
    )
    corners = (
        pixels[:corner, :corner],
        pixels[:corner, -corner:],
        pixels[-corner:, :corner],
        pixels[-corner:, -corner:],
    )
    border = [
        float(np.log2(max(width * height, 1))), width / max(height, 1),
        *(float(strip.mean()) for strip in (pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:])),
        float(ring.std()),
        *(float(np.percentile(patch, 95)) for patch in corners),
    ]  # fmt: skip
    shares = np.histogram(pixels, bins=8, range=(0, 256))[0] / pixels.size
    return dict(zip(STATISTICS, [*border, float(pixels.mean()), *map(float, shares)], strict=True))
