"""Memory of opening large images."""

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrcore.data import images
from cxrcore.data.archive import File
from cxrcore.data.errors import ImageError
from cxrcore.data.inspection import ImageInspector
from cxrcore.data.memory import MemoryBudget
from cxrcore.data.readers.base import TEXT

IMPORT = """
import sys
from pathlib import Path
from cxrcore.data import importing
data = importing.import_folders([Path(sys.argv[1])], "large")
# The peak of this process alone; getrusage starts at that of the parent.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(len(data.usable), int(peak.split()[1]) // 1024)
"""


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_importing_large_rgba_16_bit_images_takes_under_700_mb(tmp_path):
    """Each of the two files has 0.3 MB and unpacks to 6300 x 6300 x 4 x 2 bytes = 318 MB."""
    for number, label in enumerate(("NORMAL", "COVID")):
        pixels = np.full((6300, 6300, 4), 65535, np.uint16)
        pixels[: 3000 + number, :, :3] = 1000
        (tmp_path / "set" / label).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / label / "a.png"), pixels)
    assert max(path.stat().st_size for path in tmp_path.rglob("*.png")) < 1_000_000
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "set")]
    images, megabytes = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert images == 2 and megabytes < 700


def test_memory_budget_makes_threads_wait():
    budget, order = MemoryBudget(100), []

    def second():
        with budget.reserve(60):
            order.append("second")

    with budget.reserve(60):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_memory_budget_refuses_what_never_fits():
    with pytest.raises(ImageError, match="needs 600 MB of memory; at most 480 MB"):
        with MemoryBudget(480_000_000).reserve(600_000_000):
            pass


def test_mask_is_opened_when_the_memory_of_its_image_is_free(tmp_path, monkeypatch):
    """Both take 10 x 10 x 8 bytes, the whole budget."""
    monkeypatch.setattr(images, "_BANDS_BYTES", 0)
    monkeypatch.setattr(images, "_budget", MemoryBudget(800))
    path, mask = tmp_path / "a.png", np.zeros((10, 10), bool)
    path.write_bytes(images.png(mask))
    row = dict.fromkeys(TEXT, "") | {"path": str(path), "content": None, "lesions": ()}
    row["lungs"] = (File(partial(images.png, ~mask), "mark"),)
    found = []
    inspector = ImageInspector(tmp_path, None, "salt")
    thread = threading.Thread(target=lambda: found.append(inspector.inspect(row)), daemon=True)
    thread.start()
    thread.join(5)
    assert found and images.load_mask(tmp_path / found[0].lungs).all() and found[0].columns()["lungs"]
