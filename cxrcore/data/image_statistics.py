"""Statistics of one image, computed in milliseconds; the dataset audit is made from them."""

import hashlib
import os
import zlib
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

T = TypeVar("T")
R = TypeVar("R")
_SIDE, _VIEW = perceptual_hashes.SIDE, 32
_MOST = 1024  # pixels of a side; larger images are halved
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
    """Return `pixels`, `hashes`, `STATISTICS` and `SCORES` of an image of mode L or RGB.

    All but `pixels` and `chroma` are computed from the grey values of the image halved to below 1024 pixels a side.

    `pixels`: a hash of the size and the grey values. `hashes`: hexadecimal, see `perceptual_hashes`.

    `upright`: correlation with a frontal chest radiograph, -1 to 1; near -1 if inverted. `turned`: the higher one of
    the two after a quarter turn. `letters`: letter-like shapes in one row in the border zone. `chroma`: the mean
    difference between the channels, 0 to 255. `spread`: the standard deviation of the grey values.
    """
    grey = np.asarray(image if image.mode == "L" else image.convert("L"))
    halved = _halved(grey)
    small = Image.fromarray(halved).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small)
    view = normalised(pixels)
    return {
        "pixels": _pixel_hash(grey),
        "hashes": perceptual_hashes.packed(small).tobytes().hex(),
        **_statistics(pixels, image.width, image.height),
        "upright": float((view * _template()).sum()),
        "turned": max(float((np.rot90(view, turn) * _template()).sum()) for turn in (1, 3)),
        "letters": float(text_detection.longest_row(halved)),
        "chroma": _chroma(image),
        "spread": float(pixels.std()),
    }


def _pixel_hash(grey: np.ndarray) -> str:
    """Return a hash of the size, of all values by a checksum, and of every eighth row by SHA-256.

    SHA-256 of all values takes three times as long. Different images with these rows equal are rare, and one in 4
    billion of them has the same checksum.
    """
    digest = hashlib.sha256(f"{grey.shape} {zlib.crc32(grey.data)}".encode())
    digest.update(np.ascontiguousarray(grey[::8]).data)
    return digest.hexdigest()[:32]


def _halved(grey: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W) below `_MOST` pixels a side: means of 2 x 2 pixels, as often as needed.

    OpenCV has fast code for them; means of other areas take ten times as long.
    """
    while max(grey.shape) >= _MOST and min(grey.shape) > 1:
        height, width = (side // 2 for side in grey.shape)
        grey = cv2.resize(grey[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return grey


def _chroma(image: Image.Image) -> float:
    if image.mode == "L":
        return 0.0
    some = image.resize((256, 256), Image.Resampling.NEAREST)  # reading every pixel takes several times as long
    colour = np.asarray(some.reduce(4)).astype(np.int16)
    return float((colour.max(axis=2) - colour.min(axis=2)).mean())


def packed(hashes: Iterable[str]) -> np.ndarray:
    """Return the hexadecimal hashes of n images as uint8 (n, CROPS, 32)."""
    values = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8)
    return values.reshape(-1, perceptual_hashes.CROPS, perceptual_hashes.BITS // 8)


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
        *map(float, np.percentile(np.stack(corners).reshape(4, -1), 95, axis=1)),
    ]
    shares = np.bincount(pixels.ravel() // 32, minlength=8) / pixels.size
    return dict(zip(STATISTICS, [*border, float(pixels.mean()), *map(float, shares)], strict=True))
