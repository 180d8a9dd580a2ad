"""Statistics of one image, computed in milliseconds; the dataset audit is made from them."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

from cxrcore.data import perceptual_hashes, text_detection
from cxrcore.data.images import bands

T = TypeVar("T")
R = TypeVar("R")
_SIDE, _VIEW = perceptual_hashes.SIDE, 32
# Statistics that do not depend on the lungs: geometry and brightness of borders and corners.
BORDER = [
    "log_pixels",
    "aspect",
    *(f"border_{name}" for name in ("top", "bottom", "left", "right", "spread")),
    *(f"corner_{name}" for name in ("top_left", "top_right", "bottom_left", "bottom_right")),
]
# Statistics of the whole image. With `BORDER`, these are the 20 statistics of the statistics probe.
WHOLE = ["mean", *(f"histogram_{k}" for k in range(8))]
STATISTICS = [*BORDER, *WHOLE]
SCORES = ["upright", "turned", "letters", "chroma", "spread"]


@contextmanager
def parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[Iterator[R]]:
    """Yield the results for `items` in their order, computed by as many threads as processors.

    NumPy's matrix products are small here; on several threads each they would take several times as long.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        with threadpool_limits(1, "blas"):
            yield pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)


def measure(image: Image.Image) -> dict[str, str | float]:
    """Return `pixels`, `hashes`, `STATISTICS` and `SCORES` of an RGB image.

    `pixels`: a hash of the size and the pixels. `hashes`: hexadecimal, see `perceptual_hashes`.

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
        "pixels": _pixel_hash(image),
        "hashes": perceptual_hashes.packed(small).tobytes().hex(),
        **_statistics(pixels, image.width, image.height),
        "upright": float((view * _template()).sum()),
        "turned": max(float((np.rot90(view, turn) * _template()).sum()) for turn in (1, 3)),
        "letters": float(text_detection.longest_row(np.asarray(grey))),
        "chroma": float((colour.max(axis=2) - colour.min(axis=2)).mean()),
        "spread": float(pixels.std()),
    }


def _pixel_hash(image: Image.Image) -> str:
    digest = hashlib.sha256(f"{image.size}".encode())
    for top, bottom in bands(image.height, image.width):
        digest.update(image.crop((0, top, image.width, bottom)).tobytes())
    return digest.hexdigest()[:32]


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
    unit: np.ndarray = centred / (np.linalg.norm(centred) + 1e-6)
    return unit


def _statistics(pixels: np.ndarray, width: int, height: int) -> dict[str, float]:
    edge, corner = _SIDE // 12, _SIDE // 6
    corners = (
        pixels[:corner, :corner],
        pixels[:corner, -corner:],
        pixels[-corner:, :corner],
        pixels[-corner:, -corner:],
    )
    strips = (pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:])
    border = [
        float(np.log2(max(width * height, 1))),
        width / max(height, 1),
        *(float(strip.mean()) for strip in strips),
        float(np.concatenate([strip.ravel() for strip in strips]).std()),
        *(float(np.percentile(patch, 95)) for patch in corners),
    ]
    shares = np.histogram(pixels, bins=8, range=(0, 256))[0] / pixels.size
    return dict(zip(STATISTICS, [*border, float(pixels.mean()), *map(float, shares)], strict=True))
