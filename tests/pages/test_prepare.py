"""What a server does at its start so that the first visitors do not wait."""

import os
import sys
from types import SimpleNamespace

from cxrcore import runs
from cxrcore.evaluation import verdict
from cxrcore.explain import loaded_runs
from cxrcore.features import gpu_pass, gpus
from cxrcore.ui import server


def test_pages_are_imported_and_verdicts_that_are_not_kept_are_found(trained, monkeypatch):
    asked, of_run = [], verdict.of_run
    monkeypatch.setattr(verdict, "of_run", lambda run: asked.append(run.name) or of_run(run))
    monkeypatch.delitem(sys.modules, "cxrcore.ui.figure_row", raising=False)
    server.prepare()
    assert "cxrcore.ui.figure_row" in sys.modules
    assert asked == []
    os.utime(trained.folder / "metrics.json")
    server.prepare()
    assert asked == [trained.name]


def test_a_damaged_run_does_not_end_it(trained, monkeypatch):
    (trained.folder / "metrics.json").write_text("{")
    server.prepare()


def test_runs_that_may_not_be_read_do_not_end_it(trained, denied):
    with denied(trained.folder.parent):
        server.prepare()


def test_datasets_that_may_not_be_read_do_not_end_it(trained, denied, monkeypatch):
    asked = []
    monkeypatch.setattr(verdict, "is_kept", lambda run: asked.append(run.name))
    with denied(trained.folder.parent.parent / "datasets"):
        server.prepare()
    assert asked == [trained.name]


def test_gpus_are_looked_for_where_there_seem_to_be_some(home, monkeypatch):
    asked = []
    monkeypatch.setattr(server.worker_pool, "pool", lambda: SimpleNamespace(prepare=asked.append))
    for expected in (False, True):
        monkeypatch.setattr(gpus, "are_expected", lambda expected=expected: expected)
        server.prepare()
    assert asked == [gpu_pass.find]


def test_the_model_of_the_newest_run_with_results_is_loaded(trained, monkeypatch):
    asked = []
    monkeypatch.setattr(server.worker_pool, "pool", lambda: SimpleNamespace(prepare=lambda *call: asked.append(call)))
    monkeypatch.setattr(gpus, "are_expected", lambda: False)
    runs.create(trained.config)  # it has no results yet
    server.prepare()
    assert [(function, run.name) for function, run in asked] == [(loaded_runs.prepare, trained.name)]


def test_no_model_is_loaded_where_no_run_is_shown(trained, monkeypatch):
    asked = []
    monkeypatch.setattr(server.worker_pool, "pool", lambda: SimpleNamespace(prepare=lambda *call: asked.append(call)))
    monkeypatch.setattr(gpus, "are_expected", lambda: False)
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    server.prepare()
    assert asked == []
