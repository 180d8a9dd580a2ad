"""What a PNG or JPEG file holds beside its pixels, counted before Pillow reads it: each part becomes Python objects."""

import struct

from PIL import PngImagePlugin

from cxrcore.data.errors import ImageError

MOST_PARTS = 100_000  # chunks of a PNG, segments of a JPEG; the parts with pixels of large PNG files have 8 kB each
MOST_BESIDE = 16 * 2**20  # bytes of profiles, EXIF, texts and others together
MOST_SCANS = 100  # of a JPEG; a decoder goes through all pixels for each
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PngImagePlugin.MAX_TEXT_MEMORY = 4 * 2**20  # bytes of unpacked texts, which nobody reads; Pillow allows 64 MB


def check(content: bytes) -> None:
    """Raise `ImageError` for a PNG or JPEG file of too many parts, with too much beside the pixels, or too many scans.

    A damaged file is left to the decoder.
    """
    try:
        if content.startswith(_SIGNATURE):
            _check_chunks(content)
        elif content.startswith(b"\xff\xd8"):
            _check_segments(content)
    except (struct.error, IndexError):
        return


def _check_chunks(content: bytes) -> None:
    place, parts, beside = len(_SIGNATURE), 0, 0
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, place)
        place += length + 12
        parts += 1
        beside += 0 if kind == b"IDAT" else length
        _check_sums(parts, beside)


def _check_segments(content: bytes) -> None:
    place, parts = 2, 0
    while content[place] == 0xFF and content[place + 1] != 0xDA:
        parts += 1
        if content[place + 1] == 0xFF:  # a byte that fills up
            place += 1
        else:
            place += 2 + struct.unpack_from(">H", content, place + 2)[0]
        _check_sums(parts, place)
    if content.count(b"\xff\xda", place) > MOST_SCANS:
        raise ImageError("a JPEG file of over {most} scans: save it again, as baseline JPEG", most=MOST_SCANS)


def _check_sums(parts: int, beside: int) -> None:
    if parts > MOST_PARTS or beside > MOST_BESIDE:
        raise ImageError(
            "beside its pixels the file has over {megabytes} MB, or over {most:,} parts",
            megabytes=MOST_BESIDE // 2**20,
            most=MOST_PARTS,
        )
