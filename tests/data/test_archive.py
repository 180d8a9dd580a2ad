"""What an archive must not do."""

import io
import stat
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from cxrcore.data import archive, file_tree
from cxrcore.data.images import Upload
from cxrcore.data.importing import import_folders, import_trees
from cxrcore.errors import UserError


def picture(seed=0):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def packed(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


GOOD = {"NORMAL/a.png": picture(1), "NORMAL/b.png": picture(2), "COVID/c.png": picture(3)}


def link():
    entry = zipfile.ZipInfo("NORMAL/link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return {entry: "/etc/passwd"}


def claims(size):
    """A ZIP whose one entry claims to unpack to `size` bytes."""
    content = bytearray(packed({"NORMAL/big.png": b"x" * 100}))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = size.to_bytes(4, "little")
    return bytes(content)


def nested(depth):
    content = packed(GOOD)
    for level in range(depth - 1):
        content = packed({f"level{level}.zip": content})
    return content


BAD = {
    "zip slip": (packed({"../../evil.png": picture(), **GOOD}), "outside of its folder"),
    "absolute": (packed({"/tmp/evil.png": picture(), **GOOD}), "outside of its folder"),
    "a drive": (packed({"C:/evil.png": picture(), **GOOD}), "outside of its folder"),
    "a backslash": (packed({"a\\..\\evil.png": picture(), **GOOD}), "outside of its folder"),
    "a link": (packed(link() | GOOD), "is a link"),
    "a bomb by its claim": (claims(2**31), "unpacks to over 256 MB"),
    "a bomb of bombs": (nested(3), "archives in archives in archives"),
    "no zip": (b"hello", "cannot be opened as a ZIP"),
    "cut off": (packed(GOOD)[:-40], "cannot be opened as a ZIP"),
    "an inner one that is none": (packed({"inner.zip": b"hello"}), r"inner.zip cannot be opened as a ZIP"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused_and_nothing_is_written(name, home, tmp_path):
    content, reason = BAD[name]
    file = tmp_path / "some.zip"
    file.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=reason):
        import_folders([file], "bad")
    with pytest.raises(UserError, match=reason):
        file_tree.of_uploads([Upload("some.zip", content)])
    assert sorted(tmp_path.rglob("*")) == before and not home.exists()


def test_more_entries_than_allowed(tmp_path, home):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for number in range(archive.MAX_FILES + 1):
            file.writestr(f"NORMAL/{number}.png", b"")
    with pytest.raises(UserError, match="over 100,000 files"):
        import_folders([tmp_path / "many.zip"], "many")
    assert not home.exists()


def test_inner_archives_that_would_fill_the_memory(monkeypatch):
    inner = packed({"NORMAL/a.png": b"0" * 5000})
    monkeypatch.setattr(
        archive.Budget, "__init__", lambda self: self.__dict__.update(files=10, bytes=10**6, held=len(inner))
    )
    assert file_tree.of_uploads([Upload("some.zip", packed({"one.zip": inner}))]).files
    with pytest.raises(UserError, match="Unpack those in it first"):
        file_tree.of_uploads([Upload("some.zip", packed({"one.zip": inner, "two.zip": inner}))])


def test_a_link_to_an_archive_outside_of_the_roots_is_not_followed(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.zip").write_bytes(packed(GOOD))
    (tmp_path / "root" / "link.zip").symlink_to(tmp_path / "outside.zip")
    assert not any("NORMAL" in name for name in file_tree.open_file_tree(tmp_path / "root", [tmp_path / "root"]).files)
    assert any("NORMAL" in name for name in file_tree.open_file_tree(tmp_path / "root").files)


def test_uploads_of_one_name_are_all_kept():
    uploads = [Upload("a.png", picture(1)), Upload("a.png", picture(2))]
    assert list(file_tree.of_uploads(uploads).files) == ["a (2).png", "a.png"]


def test_more_bytes_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(archive.Budget, "__init__", lambda self: self.__dict__.update(files=10, bytes=500, held=0))
    with pytest.raises(UserError, match="unpacks to over"):
        file_tree.of_uploads([Upload("some.zip", packed({"NORMAL/a.png": b"0" * 1000}))])


def test_an_entry_that_unpacks_to_more_than_it_claims_is_cut_off(tmp_path):
    """Deflated data goes on, the claim does not: zipfile stops there and the checksum fails."""
    content = bytearray(packed({"NORMAL/big.png": b"x" * 10_000_000, **GOOD}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(mark) + offset
        content[place : place + 4] = (5000).to_bytes(4, "little")
    (tmp_path / "some.zip").write_bytes(content)
    data = import_folders([tmp_path / "some.zip"], "some")
    assert data.counts() == {"COVID": 1, "NORMAL": 2} and data.left_out_counts() == {"unreadable": 1}
    assert "damaged" in data.left_out["left_out"][0]


def test_a_damaged_entry_is_set_aside_and_the_rest_goes_on(tmp_path):
    content = bytearray(packed(GOOD))
    place = content.index(zlib.crc32(GOOD["NORMAL/a.png"]).to_bytes(4, "little"))
    content[place + 60] ^= 0xFF
    (tmp_path / "some.zip").write_bytes(content)
    data = import_folders([tmp_path / "some.zip"], "some")
    assert data.counts() == {"COVID": 1, "NORMAL": 1} and data.left_out_counts() == {"unreadable": 1}


@pytest.mark.parametrize("depth", [1, 2])
def test_zips_by_path_in_a_folder_and_by_upload_give_the_same(depth, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "some.zip").write_bytes(nested(depth))
    by_path, in_folder = import_folders([folder / "some.zip"], "path"), import_folders([folder], "folder")
    by_upload = import_trees([file_tree.of_uploads([Upload("some.zip", nested(depth))])], "upload", roots=[])
    for data in (by_path, in_folder, by_upload):
        assert sorted(data.usable["sha256"]) == sorted(by_path.usable["sha256"])
        assert data.counts() == {"COVID": 1, "NORMAL": 2}
        assert all(path.startswith(str(data.folder)) for path in data.usable["path"])


def test_what_a_mac_and_hidden_folders_add_is_left_alone(tmp_path):
    junk = {"__MACOSX/NORMAL/._a.png": b"junk", ".git/NORMAL/x.png": picture(8), "NORMAL/.hidden.png": picture(9)}
    (tmp_path / "some.zip").write_bytes(packed(GOOD | junk))
    data = import_folders([tmp_path / "some.zip"], "some")
    assert len(data.table) == 3


def test_an_upload_may_not_leave_its_folder_either():
    with pytest.raises(UserError, match="outside of its folder"):
        file_tree.of_uploads([Upload("../evil.png", picture())])
