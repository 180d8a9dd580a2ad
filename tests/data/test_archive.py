"""Unsafe and damaged archives."""

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
from tests.data.zip_files import zipped


def png_bytes(seed=0):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


GOOD = {"NORMAL/a.png": png_bytes(1), "NORMAL/b.png": png_bytes(2), "COVID/c.png": png_bytes(3)}


def link():
    entry = zipfile.ZipInfo("NORMAL/link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return {entry: "/etc/passwd"}


def claims(size):
    """A ZIP whose one entry claims to unpack to `size` bytes."""
    content = bytearray(zipped({"NORMAL/big.png": b"x" * 100}))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = size.to_bytes(4, "little")
    return bytes(content)


def nested(depth):
    content = zipped(GOOD)
    for level in range(depth - 1):
        content = zipped({f"level{level}.zip": content})
    return content


BAD = {
    "zip slip": (zipped({"../../evil.png": png_bytes(), **GOOD}), "outside its folder"),
    "absolute": (zipped({"/tmp/evil.png": png_bytes(), **GOOD}), "outside its folder"),
    "a drive": (zipped({"C:/evil.png": png_bytes(), **GOOD}), "outside its folder"),
    "a backslash": (zipped({"a\\..\\evil.png": png_bytes(), **GOOD}), "outside its folder"),
    "a link": (zipped(link() | GOOD), "is a link"),
    "a bomb by its claim": (claims(2**31), "unpacks to over 256 MB"),
    "a bomb of bombs": (nested(3), "nested three deep"),
    "no zip": (b"hello", "cannot be opened as a ZIP"),
    "cut off": (zipped(GOOD)[:-40], "cannot be opened as a ZIP"),
    "an inner one that is none": (zipped({"inner.zip": b"hello"}), r"inner.zip cannot be opened as a ZIP"),
}


@pytest.mark.parametrize("name", BAD)
def test_unsafe_archive_is_refused_and_nothing_is_written(name, home, tmp_path):
    content, reason = BAD[name]
    file = tmp_path / "some.zip"
    file.write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=reason):
        import_folders([file], "bad")
    with pytest.raises(UserError, match=reason):
        file_tree.of_uploads([Upload("some.zip", content)])
    assert sorted(tmp_path.rglob("*")) == before and not home.exists()


def test_too_many_entries_are_refused(tmp_path, home, monkeypatch):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as file:
        for number in range(6):
            file.writestr(f"NORMAL/{number}.png", b"")
    assert len(archive.files(tmp_path / "many.zip", archive.Budget(6))) == 6
    with pytest.raises(UserError, match="over 5 files"):
        archive.files(tmp_path / "many.zip", archive.Budget(5))
    assert archive.Budget().files == 100_000
    monkeypatch.setattr(archive, "MAX_FILES_ON_DISK", 5)
    with pytest.raises(UserError, match="over 5 files"):
        import_folders([tmp_path], "many")
    assert not home.exists()


def test_inner_archives_beyond_the_memory_limit_are_refused(monkeypatch):
    inner = zipped({"NORMAL/a.png": b"0" * 5000})
    monkeypatch.setattr(
        archive.Budget, "__init__", lambda self: self.__dict__.update(files=10, bytes=10**6, held=len(inner))
    )
    assert file_tree.of_uploads([Upload("some.zip", zipped({"one.zip": inner}))]).files
    with pytest.raises(UserError, match="Unpack those in it first"):
        file_tree.of_uploads([Upload("some.zip", zipped({"one.zip": inner, "two.zip": inner}))])


def test_link_to_archive_outside_roots_is_not_followed(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside.zip").write_bytes(zipped(GOOD))
    (tmp_path / "root" / "link.zip").symlink_to(tmp_path / "outside.zip")
    assert not any("NORMAL" in name for name in file_tree.open_file_tree(tmp_path / "root", [tmp_path / "root"]).files)
    assert any("NORMAL" in name for name in file_tree.open_file_tree(tmp_path / "root").files)


def test_uploads_of_equal_names_are_all_kept():
    uploads = [Upload("a.png", png_bytes(1)), Upload("a.png", png_bytes(2))]
    assert list(file_tree.of_uploads(uploads).files) == ["a (2).png", "a.png"]


def test_too_many_bytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive.Budget, "__init__", lambda self: self.__dict__.update(files=10, bytes=500, held=0))
    with pytest.raises(UserError, match="unpacks to over"):
        file_tree.of_uploads([Upload("some.zip", zipped({"NORMAL/a.png": b"0" * 1000}))])


def test_entry_larger_than_claimed_is_unreadable(tmp_path):
    """zipfile reads no more than the claimed size, so the checksum fails."""
    content = bytearray(zipped({"NORMAL/big.png": b"x" * 10_000_000, **GOOD}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(mark) + offset
        content[place : place + 4] = (5000).to_bytes(4, "little")
    (tmp_path / "some.zip").write_bytes(content)
    data = import_folders([tmp_path / "some.zip"], "some")
    assert data.counts() == {"COVID": 1, "NORMAL": 2} and data.left_out_counts() == {"unreadable": 1}
    assert "damaged" in data.left_out["left_out_reason"][0]


def test_damaged_entry_is_left_out_and_the_rest_imported(tmp_path):
    content = bytearray(zipped(GOOD))
    place = content.index(zlib.crc32(GOOD["NORMAL/a.png"]).to_bytes(4, "little"))
    content[place + 60] ^= 0xFF
    (tmp_path / "some.zip").write_bytes(content)
    data = import_folders([tmp_path / "some.zip"], "some")
    assert data.counts() == {"COVID": 1, "NORMAL": 1} and data.left_out_counts() == {"unreadable": 1}


@pytest.mark.parametrize("depth", [1, 2])
def test_zip_by_path_in_folder_and_by_upload_give_the_same(depth, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "some.zip").write_bytes(nested(depth))
    by_path, in_folder = import_folders([folder / "some.zip"], "path"), import_folders([folder], "folder")
    by_upload = import_trees([file_tree.of_uploads([Upload("some.zip", nested(depth))])], "upload", roots=[])
    for data in (by_path, in_folder, by_upload):
        assert sorted(data.usable["sha256"]) == sorted(by_path.usable["sha256"])
        assert data.counts() == {"COVID": 1, "NORMAL": 2}
        assert all(path.startswith(str(data.folder)) for path in data.usable["path"])


def test_hidden_files_and_macos_metadata_are_skipped(tmp_path):
    junk = {"__MACOSX/NORMAL/._a.png": b"junk", ".git/NORMAL/x.png": png_bytes(8), "NORMAL/.hidden.png": png_bytes(9)}
    (tmp_path / "some.zip").write_bytes(zipped(GOOD | junk))
    data = import_folders([tmp_path / "some.zip"], "some")
    assert len(data.table) == 3


def test_upload_name_outside_its_folder_is_refused():
    with pytest.raises(UserError, match="outside its folder"):
        file_tree.of_uploads([Upload("../evil.png", png_bytes())])


@pytest.mark.parametrize("character", ["\x1b[2J", "\n", "\r", "\t", "\0", "\x7f", "\x9b", "\u202e", "\u2066", "\u2028"])
def test_name_with_unseen_characters_is_refused_and_shown_escaped(character, home):
    name = f"NORMAL/a{character}gnp.png"
    content = zipped({"NORMAL/aXgnp.png": png_bytes()})
    content = zipped({name: png_bytes()}) if character != "\0" else content.replace(b"aXgnp", b"a\0gnp")
    for upload in (Upload("some.zip", content), Upload(name.rpartition("/")[2], png_bytes())):
        with pytest.raises(UserError, match="has control characters") as error:
            file_tree.of_uploads([upload])
        assert character not in str(error.value) and repr(character)[1:-1] in str(error.value)
    assert not home.exists()


def test_upload_whose_name_is_longer_than_a_folder_takes_is_imported():
    name = "\N{LUNGS}" * 80 + ".png"
    packed = file_tree.of_uploads([Upload("up.zip", zipped(GOOD | {f"NORMAL/{name}": png_bytes(4)}))])
    assert import_trees([packed], "packed", roots=[]).counts() == {"COVID": 1, "NORMAL": 3}
    inside = {f"{folder}/{name}": content for folder, content in (("NORMAL", png_bytes(5)), ("COVID", png_bytes(6)))}
    loose = file_tree.of_uploads([Upload(file, content) for file, content in inside.items()])
    data = import_trees([loose], "loose", roots=[])
    assert data.counts() == {"COVID": 1, "NORMAL": 1}
    assert all(len(path.rpartition("/")[2]) == 20 for path in data.usable["path"])
