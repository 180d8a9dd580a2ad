"""Lung masks: a small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) of our own, and when not to believe it.

It learned from phantoms alone (`scripts/train_lungs.py`), drawn with every disturbance that a real radiograph has and a
phantom lacks. It has never seen a real lung's outline, so what it finds is checked for the shape of two lungs, and
what does not have that shape is not used.
"""

import hashlib
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
# Shares of the image that the two lungs together, and each of them, may take; adults and children, whole films.
_LEAST, _MOST, _SMALLEST = 0.08, 0.60, 0.025
# Of the smaller lung to the larger; of a lung's area to its convex hull's; of the cells the network is unsure of.
_BALANCE, _SOLID, _UNSURE = 0.4, 0.78, 0.4


@lru_cache(maxsize=1)
def digest() -> str:
    """Return what names the network and its limits: other lungs are other features."""
    limits = repr((_LEAST, _MOST, _SMALLEST, _BALANCE, _SOLID, _UNSURE)).encode()
    return hashlib.sha256(NETWORK.read_bytes() + limits).hexdigest()[:16]


def prepared(grey: np.ndarray) -> np.ndarray:
    """Return float32 (SIZE, SIZE, 1), -1 to 1, of a grey image uint8 (H, W), its histogram made even: exposure and
    window differ from hospital to hospital."""
    small = cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return cv2.equalizeHist(small)[..., None].astype(np.float32) / 127.5 - 1


def segment(pixels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return masks, boolean (n, SIZE, SIZE), of images uint8 (n, H, W, 3), and why each is not to be believed, "" if
    nothing speaks against it. Takes some 3 ms an image."""
    chances = [_chance(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in pixels]
    masks = [_two_largest(chance > 0.5) for chance in chances]
    return np.stack(masks), [doubt(mask, chance) for mask, chance in zip(masks, chances, strict=True)]


def doubt(mask: np.ndarray, chance: np.ndarray) -> str:
    """Return why a mask, boolean (H, W), found in probabilities (H, W), cannot be a pair of lungs, "" if it can."""
    parts = _parts(mask)
    if len(parts) < 2:
        return N_("no two lungs were found")
    shares = sorted(float(part.mean()) for part in parts)
    if not _LEAST <= sum(shares) <= _MOST or shares[0] < _SMALLEST:
        return N_("the area found is too small or too large for lungs")
    if shares[0] < _BALANCE * shares[1]:
        return N_("one lung was found much smaller than the other")
    centres = [np.argwhere(part).mean(axis=0) / mask.shape for part in parts]
    (top, left), (low, right) = sorted(centres, key=lambda centre: centre[1])
    if right - left < 0.15 or abs(top - low) > 0.2:
        return N_("what was found does not lie side by side")
    if min(_solidity(part) for part in parts) < _SOLID:
        return N_("the outline is too ragged for a lung")
    if ((chance > 0.2) & (chance < 0.8)).sum() > _UNSURE * mask.sum():
        return N_("the outline is too uncertain")
    return ""


def _chance(grey: np.ndarray) -> np.ndarray:
    """Return the probability of lung, float32 (SIZE, SIZE)."""
    with _LOCK:
        network = _network()
        network.setInput(prepared(grey)[None, None, :, :, 0])
        return network.predict().reshape(SIZE, SIZE).copy()


@lru_cache(maxsize=1)
def _network() -> Any:
    """OpenCV runs it: TensorFlow would take seconds to import."""
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
