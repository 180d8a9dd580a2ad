"""Perceptual hashes of an image and of crops of it: a copy that lost up to a twentieth of its sides matches a crop.

The hash is ImageHash's pHash of 256 bits: the low 16 x 16 frequencies of the discrete cosine transform (DCT) of the
image at 64 x 64, each above their median or not. For the crops, resampling and DCT are one matrix an axis, made once:
H = A S B^T for the image S, with 25 pairs of A and B, which takes a tenth of the time of 25 calls.
"""

from functools import lru_cache

import numpy as np
from PIL import Image
from scipy.fft import dct

SIDE = 192  # of the square grey image that is hashed
BITS = 256
_LOW, _MIDDLE = 16, 64
# The shares that an axis loses at its start and at its end.
_CUTS = ((0.0, 0.0), (0.05, 0.0), (0.0, 0.05), (0.025, 0.025), (0.05, 0.05))
CROPS = len(_CUTS) ** 2  # the first is the whole image


def packed(small: Image.Image) -> np.ndarray:
    """Return the hashes of a grey image of SIDE x SIDE: uint8 (CROPS, 32), 8 bits each; the first is ImageHash's."""
    axes = _matrices()
    frequencies = (axes @ np.asarray(small, np.float32)) @ axes.T
    n = len(_CUTS)
    low = frequencies.reshape(n, _LOW, n, _LOW).swapaxes(1, 2).reshape(CROPS, BITS)
    found = low > np.median(low, axis=1, keepdims=True)
    found[0] = _phash(small)
    return np.packbits(found, axis=1)


def _phash(small: Image.Image) -> np.ndarray:
    """Return the hash of the whole image as ImageHash computes it: boolean (256,)."""
    pixels = np.asarray(small.resize((_MIDDLE, _MIDDLE), Image.Resampling.LANCZOS))
    low = dct(dct(pixels, axis=0)[:_LOW], axis=1)[:, :_LOW]
    above: np.ndarray = low > np.median(low)
    return above.ravel()


@lru_cache(maxsize=1)
def _matrices() -> np.ndarray:
    """Return float32 (cuts x 16, SIDE): for each cut, resampling by Lanczos to 64 values, then their low DCT."""
    transform = dct(np.eye(_MIDDLE), axis=0)[:_LOW]
    unit = Image.fromarray(np.eye(SIDE, dtype=np.float32))
    resampled = [
        unit.resize((SIDE, _MIDDLE), Image.Resampling.LANCZOS, box=(0, start * SIDE, SIDE, SIDE - end * SIDE))
        for start, end in _CUTS
    ]
    return np.concatenate([transform @ np.asarray(matrix) for matrix in resampled]).astype(np.float32)
