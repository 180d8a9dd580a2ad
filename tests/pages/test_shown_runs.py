"""Where the dashboard is read-only, no page shows anything of a run that is not marked, whatever a link asks for."""

import shutil
from pathlib import Path

import pytest

from cxrcore import runs
from cxrcore.data import dataset
from cxrcore.runs import Run
from tests import synthetic_runs
from tests.pages import walk

TABS = ("Images", "Metrics", "Errors", "Robustness", "Export")


@pytest.fixture
def secret(trained, home, monkeypatch):
    """A run that is not marked, beside a marked one. It is the newest, and its name begins as that of the other.

    Another of another dataset is not marked either, one lies in the trash, and one is damaged.
    """
    trained.show(True)

    def copied(name):
        run = Run(shutil.copytree(trained.folder, trained.folder.with_name(name)))
        run.show(False)
        run.describe(title="secret title", tags=["secret tag"])
        return run

    newest, discarded, damaged = (copied(trained.name + end) for end in ("secret", "secret-trash", "secret-damaged"))
    runs.discard(discarded)
    (damaged.folder / "status.json").write_text("{")
    synthetic_runs.make(["secret class", "NORMAL"], [[3, 1], [0, 4]], "secretdata").describe(title="secret")
    assert runs.load("latest").config.dataset == "secretdata" and dataset.names() == ["phantom", "secretdata"]
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    return newest


def test_no_page_shows_a_run_that_is_not_marked(open_page, trained, secret):
    links = [("home", {}), ("compare", {}), ("compare", {"show": "Sweeps"}), ("compare", {"runs": secret.name})]
    links += [("compare", {"runs": f"{trained.name},{secret.name}"}), ("data", {"dataset": "secretdata"})]
    links += [("train", {"run": secret.name}), ("train", {"like": secret.name, "transform": "clahe"}), ("status", {})]
    links += [("results", {"run": name}) for name in (secret.name, "latest", secret.name[:8], "")]
    links += [("results", {"tab": tab, "run": trained.name}) for tab in TABS]
    links += [("results", {"sample": "0", "run": secret.name}), ("explain", {"run": secret.name})]
    links += [("explain", {"run": trained.name, "show": "Comparison"})]
    found = []
    for page, query in links:
        test = open_page(page, **query)
        found += [(page, query, place, text) for place, text in walk.texts(test) if "secret" in text.lower()]
        assert [tab.label for tab in test.tabs if tab.label in ("Sweeps", "Trash")] == []
        assert "secret" not in str(test.query_params.get("runs"))
    assert found == []


def test_visitors_see_no_names_of_files_folders_and_sources(open_page, trained, monkeypatch):
    pictures = trained.folder.parent.parent / "Zqxsilva"
    pictures.mkdir()
    for file, table in (("table.parquet", trained.table), ("predictions.parquet", trained.predictions())):
        copies = [pictures / f"Zqxsilva {Path(path).name}" for path in table["path"]]
        for path, copy in zip(table["path"], copies, strict=True):
            shutil.copy(path, copy)
        table["path"] = list(map(str, copies))
        table["source"] = [f"Zqxsilva {number % 2}" for number in range(len(table))]
        trained.write_table(file, table.assign(finding="Zqxsilva"))
    trained.show(True)
    links = [("home", {}), ("compare", {}), ("explain", {}), ("explain", {"show": "Comparison"})]
    links += [("results", {"tab": tab}) for tab in TABS] + [("results", {"sample": "0"})]
    named = {}
    for read_only in ("", "1"):
        monkeypatch.setenv("CXR_READ_ONLY", read_only)
        found = {
            (page, *query.values(), place)
            for page, query in links
            for place, text in walk.texts(open_page(page, **query))
            if "zqxsilva" in text.lower()
        }
        named[read_only] = found
    assert len({page for page, *_ in named[""]}) == 2 and named["1"] == set()
