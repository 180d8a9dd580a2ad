"""Which files of weights a user of the dashboard may name, and what in them is refused."""

import os
import threading
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from cxrcore.data.roots import open_within
from cxrcore.errors import UserError
from cxrcore.features import weights
from cxrcore.features.backbones import BACKBONES
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.weights import Weights

TINY = BACKBONES["cxrtiny"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("CXR_DATA_ROOTS", str(folder))
    return folder


def reason(path):
    with pytest.raises(UserError) as caught:
        weights.require_permitted(path)
    with weights.only_permitted(), pytest.raises(UserError) as again:
        weights.resolve(TINY, "file", path)
    assert str(again.value) == str(caught.value)
    return str(caught.value)


def test_files_outside_the_folders_give_one_text_whether_they_exist_or_not(root, tmp_path):
    there, absent = tmp_path / "there.h5", tmp_path / "absent.h5"
    there.write_bytes(b"secret")
    (root / "link.h5").symlink_to(there)
    (root / "text.txt").write_bytes(b"text")
    os.mkfifo(root / "fifo.h5")  # opening it as a file would wait for ever
    files = [there, absent, root / "link.h5", root / "text.txt", root / "fifo.h5", root / "absent.h5"]
    assert len({reason(path) for path in [*files, "/proc/kmsg", "/dev/zero"] for path in [root / path]}) == 1


def test_file_below_a_root_is_permitted_and_any_on_the_command_line(root, tmp_path):
    inside, outside = root / "a.weights.h5", tmp_path / "b.weights.h5"
    inside.write_bytes(b"a")
    outside.write_bytes(b"a")
    weights.require_permitted(inside)
    with weights.only_permitted():
        found = weights.resolve(TINY, "file", inside).digest
    assert weights.resolve(TINY, "file", outside).digest == found


def test_link_that_is_swapped_after_the_check_leads_to_no_file_outside(root, tmp_path):
    (root / "in").mkdir()
    (tmp_path / "out").mkdir()
    (root / "in" / "a.h5").write_bytes(b"inside")
    (tmp_path / "out" / "a.h5").write_bytes(b"secret")
    link, ended, swaps = root / "link", threading.Event(), [root / "in", tmp_path / "out"]
    link.symlink_to(swaps[0])

    def swap():
        while not ended.is_set():
            for number, target in enumerate(swaps):
                (root / f"new{number}").symlink_to(target)
                (root / f"new{number}").rename(link)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                with open_within([root], link / "a.h5") as file:
                    seen.add(file.read())
            except OSError:
                pass
    finally:
        ended.set()
        thread.join()
    assert seen == {b"inside"}


def hostile(path, kind):
    with h5py.File(path, "w") as file:
        if kind == "a link":
            file["x"] = h5py.ExternalLink("/etc/passwd", "/")
        elif kind == "x is a link":
            file["y"], file["x"] = np.zeros(1), h5py.SoftLink("/y")
        elif kind == "another file":
            file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)])
        elif kind == "kept in another file":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
            file.create_virtual_dataset("x", layout)
        elif kind == "over 2 GB":
            file.create_dataset("x", (2**30,), "f8", chunks=(2**20,), compression="gzip")
        else:
            file["x"] = np.array([b"text"], "S4")


@pytest.mark.parametrize(
    "kind", ["a link", "x is a link", "another file", "kept in another file", "over 2 GB", "array of numbers"]
)
def test_file_that_reads_others_or_fills_the_memory_is_refused(tmp_path, kind):
    hostile(tmp_path / "a.weights.h5", kind)
    with pytest.raises(UserError, match=kind):
        Weights(tmp_path / "a.weights.h5", "").load_into(SimpleNamespace(name="m"))


def test_file_that_is_replaced_after_its_digest_is_refused(tmp_path):
    file = tmp_path / "a.weights.h5"
    file.write_bytes(BUNDLED_WEIGHTS.read_bytes())
    found = weights.resolve(TINY, "file", file)
    (tmp_path / "other").write_bytes(BUNDLED_WEIGHTS.read_bytes())
    (tmp_path / "other").replace(file)
    with pytest.raises(UserError, match="replaced"):
        found.load_into(TINY.build(64))
