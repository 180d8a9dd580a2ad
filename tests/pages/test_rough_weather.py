"""Pages on runs and datasets with damaged files, and on a run that is deleted meanwhile; see `benchmarks/faults.py`."""

import shutil

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks import faults
from cxrcore import runs
from cxrcore.runs import Run

STATES = [
    ("config.json", "truncated"),
    ("status.json", "missing"),
    ("metrics.json", "a list"),
    ("about.json", "nesting of 5 MB"),
    ("predictions.parquet", "emptied"),
    ("table.parquet", "a folder"),
    ("events.jsonl", "wrong types"),
    ("heatmaps.npy", "a dangling link"),
]


@pytest.fixture
def pair(trained):
    """A finished run, and a copy of it to damage, which is the newer one."""
    copy = shutil.copytree(trained.folder, trained.folder.with_name("29991231-000000-copy"))
    return trained, Run(copy)


@pytest.mark.parametrize(("file", "damage"), STATES)
def test_pages_name_what_is_damaged_and_show_the_other_run(pair, file, damage):
    whole, copy = pair
    before = faults.digest(whole.folder)
    faults.DAMAGES[damage](copy.folder / file)
    for view in (faults.View("home", {}), faults.View("results", {"run": "{run}", "tab": "Training curves"})):
        test, wrong = faults.opened(view, copy.name, "phantom")
        assert not wrong
        text = "\n".join(faults.texts(test)).replace("\\", "")
        if file in ("config.json", "status.json", "metrics.json", "about.json") and view.page == "home":
            assert copy.name in text and file in text
        if file == "events.jsonl" and view.page == "results":
            assert "events.jsonl is missing or damaged" in text
    assert faults.digest(whole.folder) == before


def test_run_that_is_deleted_while_a_page_shows_it(pair):
    def page():
        import os
        from pathlib import Path

        from cxrcore.runs import Run
        from cxrcore.ui import feedback

        with feedback.friendly():
            Run(Path(os.environ["CXR_HOME"]) / "runs" / "29991231-000000-copy").status  # noqa: B018

    whole, copy = pair
    runs.discard(copy)
    test = AppTest.from_function(page).run()
    assert "was deleted or moved to the trash meanwhile" in test.error[0].value and not test.exception
    shutil.copytree(whole.folder, copy.folder)
    (copy.folder / "status.json").unlink()
    assert "status.json is missing" in AppTest.from_function(page).run().error[0].value


def test_a_full_disk_leaves_no_run_without_a_status(home, monkeypatch):
    from cxrcore.config import run_config
    from cxrcore.errors import UserError
    from cxrcore.runs import RunStatus

    def full(self, path):
        raise UserError("the disk is full")

    monkeypatch.setattr(RunStatus, "write", full)
    with pytest.raises(UserError, match="full"):
        runs.create(run_config.make(dataset="d", size=64))
    assert list((home / "runs").iterdir()) == []
