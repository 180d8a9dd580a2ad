"""Pages of a run that was imported from an archive: everything but its images is there, and the pages say so."""

import json
import shutil

import pytest

from cxrcore.sharing import archives
from tests.sharing.test_run_archives import PoolInProcess


@pytest.fixture
def imported(trained, tmp_path, home, monkeypatch):
    """The run `trained` as another machine has it, without the dataset."""
    monkeypatch.setattr(archives, "WorkerPool", PoolInProcess)
    monkeypatch.setattr(archives, "_limit_memory", lambda: None)
    archives.export(trained, tmp_path / "run.zip")
    shutil.rmtree(home)
    return archives.import_run(tmp_path / "run.zip")


def test_results_are_there_without_the_pictures(imported, open_page):
    test = open_page("results", run=imported.name)
    (grid,) = (json.loads(element.proto.json) for element in test.get("bidi_component"))
    assert len(grid["cards"]) == 12 and all("the file is missing" in card["gone"] for card in grid["cards"])
    assert f"{imported.results.test.accuracy.value:.1%}" in [metric.value for metric in test.metric]


def test_explain_says_that_the_image_is_missing(imported, open_page):
    test = open_page("explain", run=imported.name)
    assert [error.value for error in test.error] == ["the file is missing"]


@pytest.mark.parametrize("page", ["home", "compare"])
def test_other_pages_open(imported, open_page, page):
    assert not open_page(page).error
