"""Image files without what they tell beside the pixels: EXIF, comments, texts and what follows may name people.

PNG and JPEG files lose the chunks and segments that hold it; their pixels are not compressed again.
"""

import io
import re
import struct
from collections.abc import Iterator

import numpy as np
from PIL import ExifTags, Image

from cxrcore.data.images import Decoded, png

_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EOI, _SOS, _APP0, _APP14, _APP15, _COM = 0xD9, 0xDA, 0xE0, 0xEE, 0xEF, 0xFE
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # others belong to the compressed pixels


def removed(content: bytes, image: Decoded) -> tuple[bytes, str]:
    """Return a file of the same pixels without metadata, and the suffix of its format.

    A file of PNG or JPEG that has none is returned as it is. One that an EXIF orientation turns, and files of other
    formats, become a PNG of the image as it is opened.
    """
    kept = b""
    try:
        if image.format == "PNG":
            kept = b"".join([_PNG_SIGNATURE, *_chunks(content)])
        elif image.format == "JPEG":
            kept = b"".join([b"\xff\xd8", *_segments(content)])
    except (struct.error, IndexError, AttributeError):  # an unusual file, which Pillow could read
        kept = b""
    if not kept or (len(kept) < len(content) and not _is_upright(content)):
        return png(np.asarray(image.image)), ".png"
    return kept, ".png" if image.format == "PNG" else ".jpg"


def _is_upright(content: bytes) -> bool:
    with Image.open(io.BytesIO(content)) as image:
        return bool(image.getexif().get(ExifTags.Base.Orientation, 1) == 1)


def _chunks(content: bytes) -> Iterator[bytes]:
    place = len(_PNG_SIGNATURE)
    while True:
        length, kind = struct.unpack_from(">I4s", content, place)
        if kind in _PNG_KEPT:
            yield content[place : place + length + 12]
        if kind == b"IEND":
            return
        place += length + 12


def _segments(content: bytes) -> Iterator[bytes]:
    place = 2
    while True:
        place = _NEXT_MARKER.search(content, place).start()  # type: ignore[union-attr]  # Pillow found an image
        marker = content[place + 1]
        if marker == _EOI:
            yield content[place : place + 2]
            return
        (length,) = struct.unpack_from(">H", content, place + 2)
        end = place + 2 + length
        if marker == _SOS:
            end = _NEXT_MARKER.search(content, end).start()  # type: ignore[union-attr]
        is_told = _APP0 < marker <= _APP15 and marker != _APP14
        if not is_told and marker != _COM and (marker != _APP0 or length == 16):  # JFIF without a thumbnail
            yield content[place:end]
        place = end
