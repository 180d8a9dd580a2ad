"""An interrupted import resumes with the same table."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrcore.data import dataset, file_tree, images, importing, mapping, measurements, staging
from cxrcore.errors import UserError

SLOW = """
import sys, time
from pathlib import Path
from cxrcore.data import importing
importing.import_folders([Path(sys.argv[1])], "mine", progress=lambda done, total: time.sleep(0.02))
"""


@pytest.fixture
def folder(save, tmp_path):
    for k in range(60):
        save(
            f"set/{'NORMAL' if k % 2 else 'COVID'}/{k}.png",
            np.random.default_rng(k).integers(0, 256, (16, 16), np.uint8),
        )
    return tmp_path / "set"


def _lines(home):
    return sum(len(file.read_text().splitlines()) for file in home.glob("datasets/.importing-*/found.jsonl"))


def test_killed_import_resumes_with_the_same_table(folder, home):
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(folder)])
    for _ in range(600):
        if _lines(home) >= 20:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = _lines(home)
    assert 20 <= done < 60 and dataset.names() == []
    seen = []
    data = importing.import_folders([folder], "mine", progress=lambda count, total: seen.append(count))
    assert seen[0] == done + 1 and seen[-1] == 60
    fresh = importing.import_folders([folder], "fresh")
    pd.testing.assert_frame_equal(data.table, fresh.table)
    measures = [pd.read_parquet(kept.folder / dataset.MEASURES) for kept in (data, fresh)]
    pd.testing.assert_frame_equal(*measures)
    assert sorted(path.name for path in (home / "datasets").iterdir() if path.is_dir()) == ["fresh", "mine"]


def test_truncated_progress_line_is_repeated(folder, home):
    with pytest.raises(KeyboardInterrupt):
        importing.import_folders([folder], "mine", progress=_interrupt_at(10))
    (file,) = home.glob("datasets/.importing-*/found.jsonl")
    text = file.read_text()
    file.write_text(text[:-30])
    seen = []
    data = importing.import_folders([folder], "mine", progress=lambda count, total: seen.append(count))
    assert seen[0] == 10 and len(data.usable) == 60


def test_changed_file_restarts_the_import(folder, save):
    with pytest.raises(KeyboardInterrupt):
        importing.import_folders([folder], "mine", progress=_interrupt_at(10))
    save("set/COVID/0.png", np.zeros((20, 20), np.uint8))
    seen = []
    data = importing.import_folders([folder], "mine", progress=lambda count, total: seen.append(count))
    assert seen[0] == 1 and 20 in set(data.usable["width"])


def test_other_upload_of_equal_names_restarts_the_import(home):
    def uploaded(first):
        names = [f"{'NORMAL' if k % 2 else 'COVID'}/{k}.png" for k in range(6)]
        return file_tree.of_uploads(
            file_tree.Upload(name, images.png(np.full((9, 9), first + k, np.uint8))) for k, name in enumerate(names)
        )

    with pytest.raises(KeyboardInterrupt):
        importing.import_trees([uploaded(0)], "mine", progress=_interrupt_at(3), roots=[])
    data = importing.import_trees([uploaded(100)], "mine", roots=[])
    assert {int(images.load(Path(path), 9).max()) for path in data.usable["path"]} == set(range(100, 106))


def test_other_options_restart_the_import(folder, home):
    with pytest.raises(KeyboardInterrupt):
        importing.import_folders([folder], "mine", progress=_interrupt_at(10))
    seen = []
    options = importing.ImportOptions(mapping.Choices({"COVID": "OTHER INFECTION"}))
    importing.import_folders([folder], "mine", options, lambda count, total: seen.append(count))
    assert seen[0] == 1


def test_concurrent_import_is_refused(folder):
    def second(done, total):
        if done == 5:
            with pytest.raises(UserError, match="being imported as 'mine' already"):
                importing.import_folders([folder], "mine")

    assert len(importing.import_folders([folder], "mine", progress=second).usable) == 60


def test_interrupted_import_is_removed_after_a_week(folder, home, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        importing.import_folders([folder], "mine", progress=_interrupt_at(10))
    monkeypatch.setattr(staging, "_KEPT_DAYS", -1)
    importing.import_folders([folder], "other")
    assert [path.name for path in (home / "datasets").iterdir() if path.is_dir()] == ["other"]


def _interrupt_at(count):
    def progress(done, total):
        if done == count:
            raise KeyboardInterrupt

    return progress


def test_an_import_in_parts_gives_the_same_dataset(folder, save, monkeypatch):
    save("set/COVID/again.png", np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8))
    save("set/COVID/broken.png", np.zeros((4, 4), np.uint8)).write_bytes(b"no image")
    whole = importing.import_folders([folder], "whole")
    for module in (importing, measurements):
        monkeypatch.setattr(module, "BATCH", 7)
    seen = []
    parts = importing.import_folders([folder], "parts", progress=lambda count, total: seen.append(count))
    assert seen == list(range(1, 63)) and len(parts.usable) == 60
    pd.testing.assert_frame_equal(parts.table, whole.table)
    measures = [pd.read_parquet(data.folder / dataset.MEASURES) for data in (whole, parts)]
    pd.testing.assert_frame_equal(*measures)
