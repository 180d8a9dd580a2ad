"""The size that the compressed pixels of a DICOM file claim, read before a decoder allocates memory for it."""

import struct
from typing import TYPE_CHECKING

from cxrcore.data.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset


def check_size_matches_header(data: "Dataset") -> None:
    """Raise `ImageError` if a compressed frame claims another size than the header, as a decoder would allocate it."""
    from pydicom.encaps import get_frame

    claimed = claimed_size(get_frame(data.PixelData, 0, number_of_frames=1))
    if claimed and claimed != (int(data.Rows), int(data.Columns)):
        raise ImageError(
            "the compressed pixels claim {width} x {height}, the header another size",
            width=claimed[1],
            height=claimed[0],
        )


def claimed_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) as a JPEG, JPEG-LS or JPEG 2000 stream claims them; None if the size is not found."""
    start = frame.find(b"\xff\x4f\xff\x51")  # JPEG 2000: SOC, SIZ
    if start >= 0:
        width, height, left, top = struct.unpack(">4I", frame[start + 8 : start + 24])
        return height - top, width - left
    position = 2
    while frame[:2] == b"\xff\xd8" and position + 9 < len(frame) and frame[position] == 0xFF:
        marker, (length,) = frame[position + 1], struct.unpack(">H", frame[position + 2 : position + 4])
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = struct.unpack(">2H", frame[position + 5 : position + 9])
            return rows, columns
        position += 2 + length
    return None
