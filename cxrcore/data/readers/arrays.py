"""The tutorials' arrays: `X_*.npy`, uint8 N x H x W x 3, with `Y_*.npy`, one-hot N x 3, never unpickled."""

import io
import math
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from cxrcore.data.classes import TUTORIAL
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import png
from cxrcore.data.readers.base import Reading, rows
from cxrcore.errors import UserError


def pairs(tree: FileTree) -> list[tuple[str, str]]:
    """Return the names of images and labels that belong together."""
    images = [
        PurePosixPath(name) for name in tree.files if name.endswith(".npy") and PurePosixPath(name).match("X_*.npy")
    ]
    found = [(str(name), str(name.with_name("Y" + name.name[1:]))) for name in images]
    return [pair for pair in found if pair[1] in tree.files]


def read(tree: FileTree, images: str, labels: str) -> Reading:
    """Return one row an image of a pair; each image is written as PNG at the import."""
    x, y = _load(tree, images), _load(tree, labels)
    _check(images, x, labels, y)
    file = PurePosixPath(images)
    records = [
        {
            "path": f"{file.stem}_{number:05d}.png",
            "finding": TUTORIAL[int(np.argmax(one_hot))],
            "source": file.parent.name or tree.name,
            "mark": f"{tree.files[images].mark}-{number}",
            "content": partial(_picture, x, number),
        }
        for number, one_hot in enumerate(y)
    ]
    return Reading("arrays", tree.origin, rows(records))


def _picture(x: np.ndarray, number: int) -> bytes:
    """Return one image as PNG; a file on disk is mapped, so that memory stays bounded."""
    return png(x[number])


def _load(tree: FileTree, name: str) -> np.ndarray:
    file = tree.files[name]
    try:
        if file.path is not None:
            values: np.ndarray = np.load(file.path, mmap_mode="r", allow_pickle=False)
            return values
        return _parse(file.read())
    except Exception as error:  # NumPy parses the header as Python, which raises errors of any type
        raise UserError(
            "{origin}/{name} cannot be read as an array of numbers ({error}). Arrays of Python objects are "
            "refused, as loading them could run code; save it again with a numeric dtype.",
            origin=tree.origin,
            name=name,
            error=error,
        ) from error


def _parse(content: bytes) -> np.ndarray:
    """Return the array in `content` without copying; NumPy's own reader would first allocate what is claimed."""
    stream = io.BytesIO(content)
    major, _ = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, column_major, dtype = header(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    values = np.frombuffer(content, dtype, count=math.prod(shape), offset=stream.tell())
    return values.reshape(shape, order="F" if column_major else "C")


def _check(images: str, x: np.ndarray, labels: str, y: np.ndarray) -> None:
    if x.ndim != 4 or x.shape[-1] != 3 or x.dtype != np.uint8:
        raise UserError(
            "{images}: expected uint8 of shape (N, H, W, 3). Received: {dtype} {shape}",
            images=images,
            dtype=x.dtype,
            shape=str(x.shape),
        )
    if y.shape != (len(x), len(TUTORIAL)):
        raise UserError(
            "{labels}: expected one-hot of shape {expected}. Received: {shape}",
            labels=labels,
            expected=str((len(x), len(TUTORIAL))),
            shape=str(y.shape),
        )
    if not (np.isin(y, (0, 1)).all() and (np.sum(y, axis=1) == 1).all()):
        raise UserError("{labels}: expected exactly one 1 in each row and 0 elsewhere.", labels=labels)
