"""Archives made to cost time or memory: each is refused or read within bounds, and the message says why."""

import io
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from cxrcore.data import file_tree
from cxrcore.data.errors import ImageError
from cxrcore.data.images import Upload
from cxrcore.errors import UserError
from tests.data.zip_files import zipped

_LOCAL, _CENTRAL, _END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"
MB = 2**20


def _written(entries, data):
    """Return a ZIP: `data`, then a directory of (name, offset, CRC, packed size, size), whatever they claim."""
    directory = b"".join(
        struct.pack(_CENTRAL, b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset)
        + name
        for name, offset, crc, packed, size in entries
    )
    count = min(len(entries), 0xFFFF)
    return data + directory + struct.pack(_END, b"PK\5\6", 0, 0, count, count, len(directory), len(data), 0)


def _local(name, content, claimed=None):
    """Return the local header and the packed bytes of a file, and its entry of the directory."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(pack.compress(part) for part in content) + pack.flush()
    crc, size = 0, 0
    for part in content:
        crc, size = zlib.crc32(part, crc), size + len(part)
    size = size if claimed is None else claimed
    header = struct.pack(_LOCAL, b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), size, len(name), 0)
    return header + name + packed, (name, 0, crc, len(packed), size)


def overlapping():
    """The bytes of one file, 200 MB, which 300 entries share: 60 GB."""
    data, (_, _, crc, packed, _) = _local(b"NORMAL/a.png", [bytes(MB)])
    return _written([(b"NORMAL/%05d.png" % k, 0, crc, packed, 200 * MB) for k in range(300)], data)


def nested():
    content = zipped({"NORMAL/a.png": b"x"})
    for level in range(20):
        content = zipped({f"{level}.zip": content})
    return content


def entries(count, length=8):
    """The bytes of one file, which so many entries share, with names of so many letters."""
    data, (_, _, crc, packed, size) = _local(b"NORMAL/a.png", [b"x"])
    return _written([(b"%0*d" % (length, k), 0, crc, packed, size) for k in range(count)], data)


def packed_by(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("NORMAL/a.png", bytes(MB))
    return buffer.getvalue()


REFUSED = {
    "overlapping entries": (overlapping, "some.zip unpacks to over 50 GB"),
    "100,001 entries": (lambda: entries(100_001), "some.zip holds over 100,000 files"),
    "a nest of twenty": (nested, "nested three deep"),
    "bzip2": (lambda: packed_by(zipfile.ZIP_BZIP2), "'NORMAL/a.png' is packed by a rare method"),
    "LZMA": (lambda: packed_by(zipfile.ZIP_LZMA), "'NORMAL/a.png' is packed by a rare method"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_archive_is_refused(name):
    make, reason = REFUSED[name]
    with pytest.raises(UserError, match=reason):
        file_tree.of_uploads([Upload("some.zip", make())])


def test_refused_list_of_entries_is_not_read():
    content = entries(550, 63_000)
    tracemalloc.start()
    with pytest.raises(UserError, match="its list of entries has over 32 MB"):
        file_tree.of_uploads([Upload("some.zip", content)])
    assert tracemalloc.get_traced_memory()[1] < MB  # of 33
    tracemalloc.stop()


@pytest.mark.parametrize("claimed", [0, 1, 5000])
def test_no_more_than_claimed_is_unpacked(claimed):
    data, entry = _local(b"NORMAL/a.png", [bytes(MB)] * 8, claimed)
    tree = file_tree.of_uploads([Upload("some.zip", _written([entry], data))])
    tracemalloc.start()
    with pytest.raises(ImageError, match="its entry in the archive is damaged"):
        tree.read("some/NORMAL/a.png")
    assert tracemalloc.get_traced_memory()[1] < MB  # of 8
    tracemalloc.stop()


def test_inner_archive_that_lies_about_its_size_is_refused():
    data, entry = _local(b"inner.zip", [bytes(MB)] * 8, 1)
    with pytest.raises(UserError, match=r"the archive 'inner\.zip' in it is damaged"):
        file_tree.of_uploads([Upload("some.zip", _written([entry], data))])


def test_of_entries_of_one_name_the_last_is_read():
    buffer = io.BytesIO()
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("NORMAL/a.png", b"first")
        archive.writestr("NORMAL/a.png", b"last")
    tree = file_tree.of_uploads([Upload("some.zip", buffer.getvalue())])
    assert list(tree.files) == ["some/NORMAL/a.png"] and tree.read("some/NORMAL/a.png") == b"last"
