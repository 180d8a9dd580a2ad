"""The tutorials' arrays: `X_*.npy`, uint8 N x H x W x 3, with `Y_*.npy`, one-hot N x 3, never unpickled."""

from functools import partial
from pathlib import Path

import numpy as np

from cxrcore.data.classes import CLASSES, FOLDER_NAMES
from cxrcore.data.images import png
from cxrcore.data.readers.base import Reading, rows
from cxrcore.errors import UserError


def matches(folder: Path) -> bool:
    """Tell whether `folder` holds at least one pair of arrays."""
    return bool(_pairs(folder))


def read(folder: Path) -> Reading:
    """Return one row an image of every pair; each image becomes a PNG when it is imported."""
    records = []
    for images, labels in _pairs(folder):
        x, y = _load(images), _load(labels)
        _check(images, x, labels, y)
        for number, one_hot in enumerate(y):
            records.append(
                {
                    "path": f"{images.stem}_{number:05d}.png",
                    "finding": CLASSES[int(np.argmax(one_hot))],
                    "source": folder.name,
                    "content": partial(_picture, images, number),
                }
            )
    return Reading("arrays", folder, rows(records), FOLDER_NAMES)


def _picture(images: Path, number: int) -> bytes:
    """Return one image of an array as PNG; read when it is needed, so that memory stays bounded."""
    return png(np.load(images, mmap_mode="r", allow_pickle=False)[number])


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    pairs = [(path, path.with_name("Y" + path.name[1:])) for path in sorted(folder.glob("X_*.npy"))]
    return [pair for pair in pairs if pair[1].is_file()]


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as an array of numbers ({error}). Arrays of Python objects are refused, "
            f"as loading them could run code; save it again with a numeric dtype."
        ) from error


def _check(images: Path, x: np.ndarray, labels: Path, y: np.ndarray) -> None:
    if x.ndim != 4 or x.shape[-1] != 3 or x.dtype != np.uint8:
        raise UserError(f"{images}: expected uint8 of shape (N, H, W, 3). Received: {x.dtype} {x.shape}")
    if y.shape != (len(x), len(CLASSES)):
        raise UserError(f"{labels}: expected one-hot of shape {(len(x), len(CLASSES))}. Received: {y.shape}")
    if not (np.isin(y, (0, 1)).all() and (np.sum(y, axis=1) == 1).all()):
        raise UserError(f"{labels}: expected exactly one 1 in each row and 0 elsewhere.")
