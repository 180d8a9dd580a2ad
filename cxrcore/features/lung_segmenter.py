"""Lung segmentation: a small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) and a check of its masks.

The lungs are the lung fields above the diaphragm, with the lung behind the heart, as people draw them. The network was
trained on disturbed phantoms alone (`scripts/train_lungs.py`), so that a mask without the shape of two lungs, or of
which the network is unsure, is refused. `docs/lungs.md` has its accuracy on lungs drawn by people.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
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
# The latest results, by the digest of the image: an audit needs the lungs of an image several times. One is 32 KB.
_KEPT = 1024
_LATEST: "OrderedDict[bytes, Lungs]" = OrderedDict()
# Shares of the image that the two lungs together, and each of them, may take; adults and children, whole films.
_LEAST, _MOST, _SMALLEST = 0.08, 0.75, 0.025
# Of the smaller lung to the larger; of a lung's area to its convex hull's.
_BALANCE, _SOLID = 0.4, 0.78
THRESHOLD = 0.25  # of the probability of lung: on X-rays of people, the network is less sure than on phantoms
LEAST_CONFIDENCE = 0.85
# Of the images that the network gets: chosen, as the limits, by the half of the drawn lungs that is not reported.
_EQUALISED = 0.5  # the weight of histogram equalisation, which makes noise of the uniform parts of X-rays of people
_ANGLES = (-5, 5)  # degrees


@dataclass(frozen=True)
class Lungs:
    """The lungs of one image.

    Attributes:
        right, left: the patient's, boolean (SIZE, SIZE). In a frontal image, the right lung is on the image's left.
        confidence: the Dice overlap that the network expects of its mask, 0 to 1 (see `_confidence`).
        refused: why the mask is not used, "" for one that is.
    """

    right: np.ndarray
    left: np.ndarray
    confidence: float
    refused: str

    @property
    def mask(self) -> np.ndarray:
        """Both lungs, boolean (SIZE, SIZE)."""
        return np.asarray(self.right | self.left)


@lru_cache(maxsize=1)
def digest() -> str:
    """Return what identifies the network and its limits: other lungs are other features."""
    limits = repr(
        (_LEAST, _MOST, _SMALLEST, _BALANCE, _SOLID, THRESHOLD, LEAST_CONFIDENCE, _EQUALISED, _ANGLES)
    ).encode()
    return hashlib.sha256(NETWORK.read_bytes() + limits).hexdigest()[:16]


def prepared(grey: np.ndarray, equalised: float = 1.0) -> np.ndarray:
    """Return float32 (SIZE, SIZE, 1), -1 to 1, of a grey image uint8 (H, W) after histogram equalisation, as exposure
    and window differ between hospitals; `equalised` is its weight, 0 to 1, against the image itself.
    """
    small = cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    mixed = cv2.addWeighted(cv2.equalizeHist(small), equalised, small, 1 - equalised, 0)
    return mixed[..., None].astype(np.float32) / 127.5 - 1


def segment(pixels: np.ndarray | Sequence[np.ndarray]) -> list[Lungs]:
    """Return the lungs of images, uint8 (H, W, 3) each. Takes about 20 ms an image, less for one of the latest."""
    return [_segmented(image) for image in pixels]


def refusal(right: np.ndarray, left: np.ndarray, confidence: float) -> str:
    """Return why masks, boolean (H, W), cannot be the two lungs of an image, "" if they can."""
    shares = sorted((float(right.mean()), float(left.mean())))
    if not shares[0]:
        return N_("two separate lungs were not found")
    if not _LEAST <= sum(shares) <= _MOST or shares[0] < _SMALLEST:
        return N_("the area is too small or too large for lungs")
    if shares[0] < _BALANCE * shares[1]:
        return N_("one lung is much smaller than the other")
    (top, first), (low, second) = (np.argwhere(part).mean(axis=0) / part.shape for part in (right, left))
    if second - first < 0.15 or abs(top - low) > 0.2:
        return N_("the two regions are not side by side")
    if min(_solidity(part) for part in (right, left)) < _SOLID:
        return N_("the outline is too irregular for a lung")
    if confidence < LEAST_CONFIDENCE:
        return N_("the outline is too uncertain")
    return ""


def _segmented(image: np.ndarray) -> Lungs:
    key = hashlib.blake2b(image.tobytes(), digest_size=16).digest() + bytes(str(image.shape), "ascii")
    with _LOCK:
        if key in _LATEST:
            _LATEST.move_to_end(key)
            return _LATEST[key]
    probabilities = _probabilities(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    likelier = probabilities >= probabilities[::-1]
    right, left = map(_largest, likelier & (probabilities > THRESHOLD))
    confidence = _confidence(right | left, probabilities.max(axis=0))
    found = Lungs(right, left, confidence, refusal(right, left, confidence))
    with _LOCK:
        _LATEST[key] = found
        while len(_LATEST) > _KEPT:
            _LATEST.popitem(last=False)
    return found


def _confidence(mask: np.ndarray, probability: np.ndarray) -> float:
    """Return the Dice overlap 2 sum(p m) / (sum(p) + sum(m)) of a mask m with the probabilities p, 0 to 1: about the
    mean overlap with masks drawn from the probabilities.
    """
    return float(2 * probability[mask].sum() / max(1e-6, probability.sum() + mask.sum()))


def _probabilities(grey: np.ndarray) -> np.ndarray:
    """Return the probabilities of the lung at the image's left and at its right, float32 (2, SIZE, SIZE): the mean of
    those of the image and of its mirror image, each rotated by `_ANGLES`.
    """
    image, centre = prepared(grey, _EQUALISED)[..., 0], ((SIZE - 1) / 2, (SIZE - 1) / 2)
    found = np.zeros((2, SIZE, SIZE), np.float32)
    for angle in _ANGLES:
        there = cv2.getRotationMatrix2D(centre, angle, 1)
        rotated = _rotated(image, there, -1)
        probabilities = _predicted(rotated) + _predicted(rotated[:, ::-1])[::-1, :, ::-1]
        back = cv2.invertAffineTransform(there)
        found += np.stack([_rotated(probability, back, 0) for probability in probabilities])
    return found / (2 * len(_ANGLES))


def _rotated(image: np.ndarray, matrix: np.ndarray, outside: float) -> np.ndarray:
    return np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), borderValue=outside))


def _predicted(image: np.ndarray) -> np.ndarray:
    """Return the network's probabilities, float32 (2, SIZE, SIZE), of a prepared image (SIZE, SIZE)."""
    with _LOCK:
        network = _network()
        network.setInput(np.ascontiguousarray(image[None, None]))
        found: np.ndarray = network.forward()[0].copy()
        return found


@lru_cache(maxsize=1)
def _network() -> Any:
    """Run by OpenCV, as TensorFlow would take seconds to import."""
    return cv2.dnn.readNetFromTFLite(str(NETWORK))


def _largest(mask: np.ndarray) -> np.ndarray:
    """Return the mask's largest connected part, its holes filled; read-only, as it is shared."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = np.zeros(mask.shape, np.uint8)
    if outlines:
        cv2.drawContours(found, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    inside = found.astype(bool)
    inside.flags.writeable = False
    return inside


def _solidity(part: np.ndarray) -> float:
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
    return float(part.sum()) / max(cv2.contourArea(hull), 1.0)
