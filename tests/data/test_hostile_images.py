"""Small files that would become large: texts, profiles, EXIF, tiles, scans. Refused, or read within bounds."""

import io
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from cxrcore.data import image_parts
from cxrcore.data.errors import ImageError
from cxrcore.data.images import decode
from tests.data.dicom_files import compress, radiograph

MB = 2**20
MANY = image_parts.MOST_PARTS + 1
FACE = "\U0001f600"  # makes Python take four bytes for each letter of a text


def _saved(form, **options):
    buffer = io.BytesIO()
    Image.new("L", (64, 48), 90).save(buffer, form, **options)
    return buffer.getvalue()


def _packed(size):
    """Return so many zeros, compressed a thousandfold."""
    pack = zlib.compressobj(9)
    return b"".join(pack.compress(bytes(MB)) for _ in range(size // MB)) + pack.flush()


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(*chunks):
    content = _saved("PNG")
    return b"".join([content[:33], *chunks, content[33:]])  # after IHDR


def _segment(marker, data=b""):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def _jpeg(*segments):
    content = _saved("JPEG")
    return b"".join([content[:2], *segments, content[2:]])


def _directory(tags):
    """Return an IFD of tags (number, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + entries + bytes(4)


def _exif(tags, size):
    """Return EXIF of `tags` values of `size` bytes that are all in one place, and of the orientation 6."""
    values = [(1000 + k, 1, size, 8) for k in range(tags)]
    return b"II*\0" + struct.pack("<I", 8 + size) + bytes(size) + _directory([(274, 3, 1, 6), *values])


def _in_segments(exif):
    return (_segment(0xE1, b"Exif\0\0" + exif[k : k + 60_000]) for k in range(0, len(exif), 60_000))


def _tiff(tags, data):
    """Return a TIFF of 64 x 48 pixels, compressed by Deflate; `tags`: values by number, which replace those."""
    start = b"II*\0" + struct.pack("<I", 8 + len(data)) + data
    usual = {256: 64, 257: 48, 258: 8, 259: 8, 262: 1, 277: 1}
    whole = [(number, 4, 1, value) for number, value in (usual | tags).items() if isinstance(value, int)]
    return start + _directory([*whole, *(value for value in tags.values() if not isinstance(value, int))])


def _tiles(side):
    """A TIFF in one tile of `side` x `side` pixels."""
    values = np.arange(64, dtype=np.uint8).reshape(8, 8).repeat(32, 0).repeat(32, 1)  # 256 x 256
    data = zlib.compress(values.tobytes())
    return _tiff({322: side, 323: side, 324: 8, 325: len(data)}, data), values


def _scans(count):
    content = _saved("JPEG", progressive=True)
    last = content[content.rfind(b"\xff\xda") : -2]
    return content[:-2] + last * (count - content.count(b"\xff\xda")) + b"\xff\xd9"


def _texts(count, text):
    return [_chunk(b"iTXt", b"%d\0\1\0\0\0" % k + zlib.compress(text.encode(), 9)) for k in range(count)]


BESIDE = "beside its pixels the file has over 16 MB, or over 100,000 parts"
REFUSED = {
    "zTXt of 100 MB": (lambda: _png(_chunk(b"zTXt", b"a\0\0" + _packed(100 * MB))), "Decompressed data too large"),
    "iTXt of 100 MB": (lambda: _png(_chunk(b"iTXt", b"a\0\1\0\0\0" + _packed(100 * MB))), "Decompressed data too"),
    "60 texts of 1 MB": (lambda: _png(*_texts(60, FACE + "a" * (MB - 8))), "Too much memory used in text chunks"),
    "iCCP of 100 MB": (lambda: _png(_chunk(b"iCCP", b"a\0\0" + _packed(100 * MB))), "Decompressed data too large"),
    "eXIf of 17 MB": (lambda: _png(_chunk(b"eXIf", _exif(1, 17 * MB))), BESIDE),
    "many chunks": (lambda: _png(_chunk(b"prVt", b"") * MANY), BESIDE),
    "many segments": (lambda: _jpeg(_segment(0xE5) * MANY), BESIDE),
    "EXIF of 17 MB": (lambda: _jpeg(*_in_segments(_exif(1, 17 * MB))), BESIDE),
    "ICC profile of 17 MB": (lambda: _jpeg(*[_segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(65_000))] * 275), BESIDE),
    "many scans": (lambda: _scans(101), "a JPEG file of over 100 scans"),
    "tile of 900 million pixels": (lambda: _tiles(30_000)[0], "claims 30000 x 30000 pixels"),
    "image of 3 billion pixels": (
        lambda: _tiff({256: 60_000, 257: 60_000}, bytes(10)),
        "claims 60000 x 60000 pixels|claims over 178 million pixels",
    ),
    "JPEG 2000": (lambda: _saved("JPEG2000"), "the file is not an image"),
}  # fmt: skip


@pytest.fixture
def peak():
    """A function that returns the most bytes that Python has held since `reset_peak`."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_before_it_takes_memory(name, peak):
    make, reason = REFUSED[name]
    content = make()
    tracemalloc.reset_peak()
    with warnings.catch_warnings(action="ignore"), pytest.raises(ImageError, match=reason):
        decode(content)
    assert peak() < len(content) * 2 + 32 * MB


READ = {
    "4 texts": lambda: _png(*_texts(4, "a" * (MB - 8))),
    "EXIF whose values are in one place": lambda: _png(_chunk(b"eXIf", _exif(5000, 100_000))),
    "EXIF in segments": lambda: _jpeg(*_in_segments(_exif(5000, 100_000))),
    "tags whose values are in one place": lambda: _tiff(
        {259: 1, 273: 8, 278: 48, 279: 64 * 48, **{1000 + k: (1000 + k, 1, 90_000, 8) for k in range(5000)}},
        bytes(100_000),
    ),
    "100 scans": lambda: _scans(100),
    "strip that unpacks to more": lambda: _tiff({273: 8, 278: 48, 279: 97_000}, _packed(100 * MB)),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_file_is_read_within_bounds(name, peak):
    content = READ[name]()
    tracemalloc.reset_peak()
    with warnings.catch_warnings(action="ignore"):
        image = decode(content).image
    assert sorted(image.size) == [48, 64] and peak() < len(content) * 8 + 24 * MB


def test_small_tiles_are_read():
    content, values = _tiles(256)
    assert np.array_equal(decode(content).grey(), values[:48, :64])


def test_compressed_pixels_of_a_dicom_file_that_claim_more_are_refused(tmp_path):
    content = compress(radiograph(np.zeros((64, 48), int)), "JPEG2000Lossless", tmp_path)
    place = content.find(b"\xff\x4f\xff\x51") + 8
    bomb = content[:place] + struct.pack(">2I", 60_000, 60_000) + content[place + 8 :]
    with pytest.raises(ImageError, match="the compressed pixels claim 60000 x 60000"):
        decode(bomb)
