"""Lung segmentation: a small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) and a plausibility check of its masks.

It was trained on phantoms alone (`scripts/train_lungs.py`), with simulated disturbances of real radiographs. It was
never trained on outlines of real lungs, so each mask is checked for the shape of two lungs, and an implausible one is
not used.
"""

import hashlib
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from cxrcore.i18n import N_

NETWORK = Path(__file__).with_name("lung_segmenter.tflite")
SIZE = 128
_LOCK = Lock()  # a network of OpenCV serves one caller at a time
# The latest results, by the digest of the image: an audit needs the lungs of an image several times. A mask is 16 KB.
_KEPT = 1024
_LATEST: OrderedDict[bytes, tuple[np.ndarray, str]] = OrderedDict()
# Shares of the image that the two lungs together, and each of them, may take; adults and children, whole films.
_LEAST, _MOST, _SMALLEST = 0.08, 0.60, 0.025
# Of the smaller lung to the larger; of a lung's area to its convex hull's; of the cells the network is unsure of.
_BALANCE, _SOLID, _UNSURE = 0.4, 0.78, 0.4


@lru_cache(maxsize=1)
def digest() -> str:
    """Return what identifies the network and its limits: other lungs are other features."""
    limits = repr((_LEAST, _MOST, _SMALLEST, _BALANCE, _SOLID, _UNSURE)).encode()
    return hashlib.sha256(NETWORK.read_bytes() + limits).hexdigest()[:16]


def prepared(grey: np.ndarray) -> np.ndarray:
    """Return float32 (SIZE, SIZE, 1), -1 to 1, of a grey image uint8 (H, W) after histogram equalisation, as exposure
    and window differ between hospitals.
    """
    small = cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return cv2.equalizeHist(small)[..., None].astype(np.float32) / 127.5 - 1


def segment(pixels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return masks, boolean (n, SIZE, SIZE), of images uint8 (n, H, W, 3), and why each is implausible, "" for a
    plausible one. Takes about 8 ms per image, less for one of the latest images.
    """
    found = [_segmented(image) for image in pixels]
    return np.stack([mask for mask, _ in found]), [reason for _, reason in found]


def implausible(mask: np.ndarray, probability: np.ndarray) -> str:
    """Return why a mask, boolean (H, W), of probabilities (H, W), cannot be a pair of lungs, "" if it can."""
    parts = _parts(mask)
    if len(parts) < 2:
        return N_("two separate lungs were not found")
    shares = sorted(float(part.mean()) for part in parts)
    if not _LEAST <= sum(shares) <= _MOST or shares[0] < _SMALLEST:
        return N_("the area is too small or too large for lungs")
    if shares[0] < _BALANCE * shares[1]:
        return N_("one lung is much smaller than the other")
    centres = [np.argwhere(part).mean(axis=0) / mask.shape for part in parts]
    (top, left), (low, right) = sorted(centres, key=lambda centre: centre[1])
    if right - left < 0.15 or abs(top - low) > 0.2:
        return N_("the two regions are not side by side")
    if min(_solidity(part) for part in parts) < _SOLID:
        return N_("the outline is too irregular for a lung")
    if ((probability > 0.2) & (probability < 0.8)).sum() > _UNSURE * mask.sum():
        return N_("the outline is too uncertain")
    return ""


def _segmented(image: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the mask of one image (H, W, 3) and why it is implausible."""
    key = hashlib.blake2b(image.tobytes(), digest_size=16).digest() + bytes(str(image.shape), "ascii")
    with _LOCK:
        if key in _LATEST:
            _LATEST.move_to_end(key)
            return _LATEST[key]
    probability = _probability(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    mask = _two_largest(probability > 0.5)
    mask.flags.writeable = False
    found = mask, implausible(mask, probability)
    with _LOCK:
        _LATEST[key] = found
        while len(_LATEST) > _KEPT:
            _LATEST.popitem(last=False)
    return found


def _probability(grey: np.ndarray) -> np.ndarray:
    """Return the probability of lung, float32 (SIZE, SIZE)."""
    with _LOCK:
        network = _network()
        network.setInput(prepared(grey)[None, None, :, :, 0])
        found: np.ndarray = network.forward().reshape(SIZE, SIZE).copy()
        return found


@lru_cache(maxsize=1)
def _network() -> Any:
    """Run by OpenCV, as TensorFlow would take seconds to import."""
    return cv2.dnn.readNetFromTFLite(str(NETWORK))


def _parts(mask: np.ndarray) -> list[np.ndarray]:
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8))
    return [numbers == number for number in range(1, count)]


def _two_largest(mask: np.ndarray) -> np.ndarray:
    """Return the mask's two largest connected parts, their holes filled."""
    largest = sorted(_parts(mask), key=np.count_nonzero)[-2:]
    found = np.zeros(mask.shape, np.uint8)
    for part in largest:
        outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(found, outlines, -1, 1, cv2.FILLED)
    return found.astype(bool)


def _solidity(part: np.ndarray) -> float:
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
    return float(part.sum()) / max(cv2.contourArea(hull), 1.0)
