"""A workspace of version 1 opens on every page and tab, and its runs can be continued, audited and compared."""

import pytest

from cxrcore import runs
from cxrcore.audits import shortcut
from cxrcore.data import dataset
from cxrcore.evaluation import mcnemar
from cxrcore.jobs import control
from cxrcore.sweeps import leaderboard, sweep
from cxrcore.training import pipeline
from tests import workspace_v1
from tests.workspace_v1 import AUDITED, REPEATED

TABS = {
    "home": [{}],
    "data": [{"dataset": "demo", "view": tab} for tab in ("Overview", "Images", "Audit", "Add a dataset")],
    "train": [{}, {"run": AUDITED}, {"run": REPEATED}],
    "results": [
        {"run": AUDITED, "tab": tab}
        for tab in ("Images", "Metrics", "Probabilities", "Errors", "Robustness", "Training curves", "Export")
    ]
    + [{"run": REPEATED}],
    "explain": [
        {"run": AUDITED, "show": tab}
        for tab in ("Test images", "Upload", "Comparison", "Mean heatmap by class", "Faithfulness")
    ]
    + [{"run": REPEATED}],
    "compare": [{"show": "Runs"}, {"show": "Sweeps", "sweep": "tries"}],
}


@pytest.fixture
def workspace(home):
    return workspace_v1.extract(home)


@pytest.mark.parametrize("page", TABS)
def test_every_tab_opens(workspace, open_page, page):
    for query in TABS[page]:
        test = open_page(page, **query)
        assert not [error.value for error in test.error if "damaged" in error.value], query


def test_nothing_is_damaged(workspace):
    assert runs.damaged() == [] and dataset.damaged() == {} and sweep.damaged() == []
    assert len(runs.listing()) == 3 and dataset.names() == ["demo", "elsewhere"]
    assert len(leaderboard.table(sweep.load("tries"))) == 12


def test_run_is_continued_from_its_checkpoint(workspace):
    run = runs.load(AUDITED)
    before = [epoch.loss for epoch in run.epochs]
    config = control.prepare_to_continue(run, 2)
    pipeline.run(config, run.folder)
    assert run.status.state == "finished" and [epoch.epoch for epoch in run.epochs] == list(range(1, 9))
    assert [epoch.loss for epoch in run.epochs][:6] == before
    assert shortcut.load(run) is None, "the audit was one of the old model"


def test_run_with_repeats_is_continued(workspace):
    run = runs.load(REPEATED)
    pipeline.run(control.prepare_to_continue(run, 1), run.folder)
    assert run.resampling.planned == 2 and len(run.resampling.done) == 2 and len(run.epochs) == 7


def test_runs_are_audited_and_compared(workspace):
    first, second = runs.load(AUDITED), runs.load(REPEATED)
    found = shortcut.audit(first)
    assert shortcut.load(first) == found and 0 <= found.full.value <= 1
    assert mcnemar.compare(first, second).test.n > 0
