"""Files of a folder that are no regular files, and links that change while they are read."""

import os
import socket

import pytest

from cxrcore.data.errors import ImageError
from cxrcore.data.file_tree import open_file_tree


def test_fifos_devices_sockets_and_links_to_them_are_named_and_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    os.mkfifo("fifo.png")
    os.mkfifo("fifo.zip")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.png")
        tree = open_file_tree(tmp_path)
    assert list(tree.files) == ["device.png", "fifo.png", "fifo.zip", "socket.png"]
    for name in tree.files:
        with pytest.raises(ImageError, match="not a regular file"):
            tree.read(name)


def test_file_that_becomes_a_link_to_the_outside_or_a_fifo_after_the_listing_is_not_read(tmp_path):
    root, secret = tmp_path / "root", tmp_path / "secret.png"
    root.mkdir()
    secret.write_bytes(b"secret")
    for name in ("a.png", "b.png"):
        (root / name).write_bytes(b"image")
    tree = open_file_tree(root, [root])
    assert tree.read("a.png") == b"image"
    for name in ("a.png", "b.png"):
        (root / name).unlink()
    (root / "a.png").symlink_to(secret)
    os.mkfifo(root / "b.png")
    with pytest.raises(ImageError, match="outside"):
        tree.read("a.png")
    with pytest.raises(ImageError, match="not a regular file"):
        tree.read("b.png")
