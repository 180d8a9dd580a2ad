"""DICOM headers made to cost time or memory: too large, of too many elements or items, or nested deeply."""

import struct
import tracemalloc

import numpy as np
import pytest

from cxrcore.data import images
from cxrcore.data.dicom import MAX_HEADER
from cxrcore.data.errors import ImageError
from tests.data.dicom_files import radiograph

MB = 2**20
PLAIN = radiograph(np.arange(256).reshape(16, 16), bits=8)
PIXELS = PLAIN.index(b"\xe0\x7f\x10\x00")
EMPTY = b"\x09\x00\x00\x10LO\0\0"  # a private element without a value
ITEM, LAST_ITEM, LAST_OF_SEQUENCE = (
    b"\xfe\xff" + tag for tag in (b"\x00\xe0", b"\x0d\xe0" + bytes(4), b"\xdd\xe0" + bytes(4))
)
OPEN = b"\xff\xff\xff\xff"  # a length that is not known


def _long(kind, value):
    return b"\x09\x00\x01\x10" + kind + bytes(2) + struct.pack("<I", len(value)) + value


def _item(count):
    """Return a sequence with one item, both of unknown length, of so many elements."""
    return b"\x09\x00\x01\x10SQ\0\0" + OPEN + ITEM + OPEN + EMPTY * count + LAST_ITEM + LAST_OF_SEQUENCE


def _table(count):
    """Return a VOI LUT sequence with one item of so many elements, whose length is known."""
    item = ITEM + struct.pack("<I", len(EMPTY) * count) + EMPTY * count
    return b"\x28\x00\x10\x30SQ\0\0" + struct.pack("<I", len(item)) + item


def _nested(depth):
    start = b"\x09\x00\x01\x10SQ\0\0" + OPEN + ITEM + OPEN
    return start * depth + (LAST_ITEM + LAST_OF_SEQUENCE) * depth


TOO_MUCH = "the DICOM header has over 4 MB, or over 20000 elements"
REFUSED = {
    "20,001 elements": (EMPTY * 20_001, TOO_MUCH),
    "900,000 elements": (EMPTY * 900_000, TOO_MUCH),
    "value of over 4 MB": (_long(b"OB", bytes(MAX_HEADER)), TOO_MUCH),
    "20,001 items": (_long(b"SQ", (ITEM + bytes(4)) * 20_001), TOO_MUCH),
    "500,000 elements in an item": (_item(500_000), TOO_MUCH),
    "100,000 elements in a lookup table": (_table(100_000), TOO_MUCH),
    "nesting of 1,000": (_nested(1000), "the DICOM file is truncated, damaged or of an unknown kind"),
    "nesting without an end": (
        _nested(1000)[: 1000 * 20],
        "the DICOM file is truncated, damaged or of an unknown kind",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_header_is_refused_before_it_takes_memory(name):
    added, reason = REFUSED[name]
    content = PLAIN[:PIXELS] + added + PLAIN[PIXELS:]
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=reason):
            images.decode(content)
        assert tracemalloc.get_traced_memory()[1] < len(content) * 2 + 2 * MB
    finally:
        tracemalloc.stop()


def test_six_full_lookup_tables_are_read():
    values = struct.pack("<2sH2sHHHH", b"\x28\x00", 0x3002, b"US", 6, 0, 0, 16)
    values += struct.pack("<2sH2sHI", b"\x28\x00", 0x3006, b"OW", 0, 2**17) + np.arange(2**16, dtype="<u2").tobytes()
    table = ITEM + struct.pack("<I", len(values)) + values
    sequence = b"\x28\x00\x10\x30SQ\0\0" + struct.pack("<I", 6 * len(table)) + 6 * table
    content = PLAIN[:PIXELS] + sequence + PLAIN[PIXELS:]
    assert images.decode(content).grey().shape == (16, 16)
    with pytest.raises(ImageError, match=TOO_MUCH):
        images.decode(content.replace(sequence, sequence[:8] + struct.pack("<I", 7 * len(table)) + 7 * table))


def test_large_header_within_the_limits_is_read():
    content = PLAIN[:PIXELS] + EMPTY * 19_900 + _item(10_000) + _long(b"OB", bytes(3 * MB)) + PLAIN[PIXELS:]
    assert (images.decode(content).grey() == images.decode(PLAIN).grey()).all()
