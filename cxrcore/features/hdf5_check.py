"""Refusal of HDF5 files that read other files, or whose arrays would fill the memory."""

from io import BufferedReader, BytesIO
from typing import Any

from cxrcore.errors import UserError

MAX_BYTES = 2 * 2**30  # of all arrays; the largest backbone has 0.1 GB
MAX_OBJECTS = 20_000


def check(file: BufferedReader | BytesIO) -> None:
    """Check that an HDF5 file holds only groups and arrays of numbers of its own, of at most `MAX_BYTES` together.

    Links, virtual datasets and datasets in external files are refused: they would read other files.

    Raises:
        UserError: something else is in it.
        OSError: it is not an HDF5 file, or damaged.
    """
    import h5py

    file.seek(0)
    with h5py.File(file, "r") as content:
        groups, size, objects = [content], 0, 0
        while groups:
            group = groups.pop()
            for name in group:
                objects += 1
                if objects > MAX_OBJECTS:
                    raise UserError("it holds over {most:,} groups and arrays", most=MAX_OBJECTS)
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise UserError("{name} is a link", name=name)
                found = group[name]
                if isinstance(found, h5py.Group):
                    groups.append(found)
                    continue
                size += _bytes(name, found)
                if size > MAX_BYTES:
                    raise UserError("its arrays have over {most} GB", most=MAX_BYTES // 2**30)


def _bytes(name: str, found: Any) -> int:
    import h5py

    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "biuf":
        raise UserError("{name} is not an array of numbers", name=name)
    if found.is_virtual or found.external:
        raise UserError("{name} is kept in another file", name=name)
    return int(found.nbytes)
