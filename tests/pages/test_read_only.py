"""CXR_READ_ONLY=1: nothing can be changed, by a page or by a call, and only runs marked as shown are visible."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from cxrcore import demo, files, runs
from cxrcore.audits import shortcut
from cxrcore.audits.dataset import audit
from cxrcore.config import run_config
from cxrcore.data import dataset, download, editing, importing
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import UserError
from cxrcore.evaluation import error_analysis, external
from cxrcore.jobs import queue
from cxrcore.runs import Run
from cxrcore.training import pipeline


@pytest.fixture
def shown(trained, monkeypatch):
    """The finished run, marked as shown, in a workspace where nothing can be changed any more."""
    trained.show(True)
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    return trained


def _everything(folder):
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def _submit(run):
    queue.submit(run_config.make(dataset="phantom"))


CALLS = {
    "train": lambda run: pipeline.run(run_config.make(dataset="phantom"), run.folder.parent / "new"),
    "queue": _submit,
    "stop": queue.stop,
    "create a run": lambda run: runs.create(run.config),
    "draw": lambda run: phantoms.create("other", patients=3, images=1),
    "demonstration": lambda run: demo.demo(),
    "import": lambda run: importing.import_folders([Path(run.table["path"][0]).parent], "other"),
    "download": lambda run: download.fetch("kermany"),
    "relabel": lambda run: editing.relabel("phantom", [0], "NORMAL"),
    "exclude": lambda run: editing.exclude("phantom", [0]),
    "restore": lambda run: editing.restore("phantom", [0]),
    "rename a class": lambda run: editing.change_classes("phantom", {"COVID": "X"}),
    "undo": lambda run: editing.undo("phantom", seen=1),
    "delete": lambda run: dataset.delete("phantom"),
    "check": lambda run: audit.run(dataset.load("phantom")),
    "test on other data": lambda run: external.evaluate(run, "phantom"),
    "shortcut audit": shortcut.audit,
    "note": lambda run: error_analysis.write_note(run, "0" * 64, "a note"),
    "show": lambda run: run.show(True),
    "hide": lambda run: run.show(False),
    "write": lambda run: files.write_text(run.folder / "x.txt", "x"),
    "append": lambda run: files.append_line(run.folder / "events.jsonl", {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_direct_calls_are_refused_and_leave_no_trace(name, shown, home):
    before = _everything(home)
    with pytest.raises(UserError, match="CXR_READ_ONLY"):
        CALLS[name](shown)
    assert _everything(home) == before


def test_invalid_setting_is_an_error(monkeypatch):
    monkeypatch.setenv("CXR_READ_ONLY", "yes")
    with pytest.raises(UserError, match="must be 0 or 1"):
        files.write_text(Path("x"), "x")


# Buttons that change what is shown, or make a file for the visitor; those of thumbnails begin with their number.
HARMLESS = re.compile(r"Prepare|Previous|Next|\d+\. .*")


def test_pages_have_no_control_that_changes_anything(open_page, shown, home):
    before = _everything(home)
    pages = [("home", {}), ("explain", {}), ("compare", {})]
    pages += [("results", {"tab": tab}) for tab in ("Images", "Metrics", "Errors", "Robustness", "Export")]
    pages.append(("results", {"sample": "0"}))
    for page, query in pages:
        test = open_page(page, run=shown.name, **query)
        assert all(HARMLESS.fullmatch(button.label) for button in test.button), (page, query)
        for kind in ("text_area", "data_editor", "chat_input", "form"):
            assert not test.get(kind), (page, query)
        assert "read-only" not in " ".join(toggle.label for toggle in test.toggle)
    assert _everything(home) == before


def test_data_and_train_are_not_offered(open_page, shown):
    test = open_page("home")
    assert [link.proto.page for link in test.get("page_link")] == ["results", "explain"]


def test_only_runs_marked_as_shown_are_visible(open_page, trained, monkeypatch):
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    for page in ("home", "results", "explain", "compare"):
        test = open_page(page, run=trained.name)
        assert "No run is shown here yet" in " ".join(info.value for info in test.info)
        assert not test.selectbox


@pytest.fixture
def hidden(shown, monkeypatch):
    """A copy of the shown run that is not marked."""
    other = shown.folder.parent / f"{shown.name[:-4]}0000"
    shutil.copytree(shown.folder, other)
    (other / "shown.json").unlink()
    return Run(other)


def test_runs_that_are_not_marked_are_nowhere_offered(open_page, shown, hidden):
    test = open_page("explain", run=shown.name, show="Comparison")
    assert next(box for box in test.multiselect if box.label == "Another run").options == []
    test = open_page("compare")
    assert len(test.dataframe[0].value) == 1
    for page in ("results", "explain"):
        test = open_page(page, run=hidden.name)
        box = next(box for box in test.selectbox if box.label == "Run")
        assert len(box.options) == 1 and test.query_params["run"] == shown.name


def test_damaged_runs_are_not_listed_to_an_audience(open_page, shown, hidden):
    (hidden.folder / "status.json").write_text("{")
    for page in ("home", "compare", "results", "explain"):
        assert not any("Damaged" in expander.label for expander in open_page(page, run=shown.name).expander), page


def test_command_line_marks_runs(trained, monkeypatch):
    from typer.testing import CliRunner

    from cxrcore.cli import app

    assert CliRunner().invoke(app, ["runs", "show", "latest"]).exit_code == 0 and trained.shown
    assert CliRunner().invoke(app, ["runs", "hide", trained.name]).exit_code == 0 and not trained.shown
