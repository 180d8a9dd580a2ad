"""Pages on runs and datasets with damaged files, and on a run that is deleted meanwhile; see `benchmarks/faults.py`."""

import errno
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks import faults
from cxrcore import runs
from cxrcore.runs import Run

STATES = [
    ("config.json", "truncated"),
    ("status.json", "missing"),
    ("metrics.json", "a list"),
    ("table.parquet", "a folder"),
    ("events.jsonl", "wrong types"),
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
        if file in ("config.json", "status.json", "metrics.json") and view.page == "home":
            assert copy.name in text and file in text
        if file == "events.jsonl" and view.page == "results":
            assert "events.jsonl is missing or damaged" in text
    assert faults.digest(whole.folder) == before


@pytest.mark.parametrize("folder", ["runs", "datasets", "sweeps"])
@pytest.mark.parametrize("page", ["home", "data", "train", "results", "explain", "compare", "status"])
def test_folder_that_may_not_be_read_is_named_on_every_page(page, folder, trained, home, open_page, denied):
    (home / "sweeps").mkdir(exist_ok=True)
    with denied(home / folder):
        test = open_page(page)
    shown = [element.value for element in [*test.error, *test.warning]]
    needs = {"runs": {"home", "train", "results", "explain", "compare"}, "datasets": {"data", "train"}, "sweeps": set()}
    if page in needs[folder]:
        assert any("is not readable" in text for text in shown), shown


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


@pytest.mark.parametrize("page", ["home", "train"])
def test_a_disk_that_cannot_be_written_is_named(open_page, trained, monkeypatch, page):
    """The queue's lock is the first file that these pages write where a run waits."""
    from cxrcore.jobs import run_process

    runs.create(trained.config, queued=True)

    def refused():
        raise OSError(errno.EROFS, "Read-only file system", str(trained.folder.parents[1] / "jobs.lock"))

    runs.create(trained.requested, queued=True)
    monkeypatch.setattr(run_process, "lock", refused)
    test = open_page(page)
    (shown,) = [error.value for error in test.error]
    assert shown.startswith("Read-only file system: ") and "Nothing can be trained or changed until" in shown
    assert page == "train" or "Latest runs" in [element.value for element in test.subheader]


def test_two_tabs_that_edit_one_dataset_lose_no_edit(phantom):
    from cxrcore.data import dataset, editing

    with ThreadPoolExecutor(8) as tabs:
        found = list(tabs.map(lambda row: editing.exclude("phantom", [row]).version, range(8)))
    assert sorted(found) == list(range(2, 10))
    assert sorted(dataset.load("phantom").left_out["row"]) == list(range(8))


def test_two_sweeps_of_one_name_at_once(phantom):
    from cxrcore.config import run_config
    from cxrcore.errors import UserError
    from cxrcore.sweeps import sweep
    from cxrcore.sweeps.plan import Choices, Plan

    plan = Plan(
        base=run_config.make(dataset="phantom", size=64),
        settings={"head": Choices(choices=("gap", "logistic"))},
        trials=1,
    )

    def made(_):
        try:
            return sweep.create("mine", plan).name
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(8) as tabs:
        found = sorted(tabs.map(made, range(8)))
    assert found.count("mine") == 1 and all("already" in text for text in found if text != "mine")


def test_a_crash_while_a_sweep_is_made_leaves_none(phantom, home, monkeypatch):
    from cxrcore.config import run_config
    from cxrcore.sweeps import sweep
    from cxrcore.sweeps.plan import Choices, Plan

    base, settings = run_config.make(dataset="phantom", size=64), {"head": Choices(choices=("gap", "logistic"))}
    plan = Plan(base=base, settings=settings, trials=1)

    def full(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Plan, "write", full)
        with pytest.raises(OSError, match="No space"):
            sweep.create("mine", plan)
    assert list((home / "sweeps").iterdir()) == []
    assert sweep.create("mine", plan).plan == sweep.load("mine").plan


@pytest.mark.parametrize("page", ["data", "train"])
def test_datasets_that_cannot_be_listed_are_an_error_with_a_message(open_page, phantom, monkeypatch, page):
    from cxrcore.ui import selection

    def refused(last_used=False):
        raise OSError(errno.EIO, "Input/output error", "datasets")

    monkeypatch.setattr(selection, "choose_dataset", refused)
    test = open_page(page)
    assert any("Input/output error" in error.value for error in test.error) and not test.exception
