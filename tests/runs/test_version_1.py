"""Run folders of the first releases open, and are continued and compared as new ones are."""

import json

import pytest

from cxrcore import runs
from cxrcore.jobs import control
from cxrcore.metric import Metric
from cxrcore.runs import RunStatus
from cxrcore.training import pipeline
from tests import workspace_v1
from tests.workspace_v1 import AUDITED, PROMOTED, REPEATED


@pytest.fixture
def workspace(home):
    return workspace_v1.extract(home)


def test_every_run_opens(workspace):
    assert runs.damaged() == [] and [run.name for run in runs.listing()] == [PROMOTED, REPEATED, AUDITED]
    for run in runs.listing():
        assert run.status.state == "finished" and run.classes == ["COVID", "NORMAL", "OTHER INFECTION"]
        assert run.info.dataset.info.phantom.planted_class == "COVID" and run.is_phantom
        assert run.info.dataset.counts["COVID"] == 6 and len(run.epochs) in (3, 6) and run.events == []
        assert len(run.table) in (17, 18) and run.model_file.name == "model.keras"
        assert run.results.test.n == len(run.predictions()) == len(run.heatmaps()) == run.results.n_test
        assert run.predictions()["path"].str.startswith(str(workspace)).all()


def test_config_of_version_1(workspace):
    config = runs.load(REPEATED).config
    assert config.image_transform == "equalise" and config.augment.views == 2
    assert (config.resampling.kind, config.resampling.count) == ("repeated", 2)
    assert runs.load(AUDITED).config.resampling.kind == "holdout"


def test_metrics_of_version_1(workspace):
    old = json.loads((workspace / "runs" / AUDITED / "metrics.json").read_text())
    accuracy, found = old["accuracy"], runs.load(AUDITED).results
    low, high = accuracy["ci95"]
    assert found.test.accuracy == Metric(accuracy["value"], low, high, accuracy["n"], accuracy["successes"])
    assert found.test.confusion == old["confusion"] and found.test.patients == old["patients"]
    assert found.test.by_class["COVID"].recall.n == old["by_class"]["COVID"]["recall"]["n"]
    assert found.n_train == old["n_train"] and found.seconds == old["seconds"] and found.kept_epoch == old["kept_epoch"]


def test_metrics_without_the_newer_ones_have_no_value(workspace):
    file = workspace / "runs" / AUDITED / "metrics.json"
    old = json.loads(file.read_text())
    for name in ("kappa", "matthews", "patients"):
        del old[name]
    del old["by_class"]["COVID"]["npv"]
    file.write_text(json.dumps(old))
    found = runs.load(AUDITED).results.test
    assert found.kappa == found.matthews == Metric(None, n=old["n"]) and found.patients == 0
    assert found.by_class["COVID"].npv == Metric(None, n=old["n"])


def test_card_and_mark_of_version_1(workspace):
    run = runs.load(AUDITED)
    assert (run.title, run.card.tags, run.card.note) == ("first try", ["paper"], "as it was") and run.shown
    assert not runs.load(REPEATED).shown


def test_repeats_of_version_1(workspace):
    found = runs.load(REPEATED).resampling
    assert (found.kind, found.planned, [metric.n for metric in found.done]) == ("repeated", 2, [3, 3])
    assert found.mean["accuracy"].value == 0.5 and found.mean["accuracy"].low == 0.0
    assert found.settings["image_transform"] == "equalise" and found.settings["resampling"] == {"repeats": 2}


def test_status_of_version_1_that_waits_to_be_continued(tmp_path):
    old = {
        "state": "queued",
        "from": 3,
        "message": "as it was",
        "before": {"status": {"state": "stopped", "from": 2}, "config": {"epochs": 5}},
    }
    (tmp_path / "status.json").write_text(json.dumps(old))
    found = RunStatus.read(tmp_path / "status.json")
    assert found.first == 3 and str(found.message) == "as it was"
    assert found.previous == RunStatus(state="stopped", first=2) and found.previous_config == {"epochs": 5}


def test_run_is_continued_for_more_epochs(workspace):
    run = runs.load(AUDITED)
    before = run.epochs
    pipeline.run(control.prepare_to_continue(run, 2), run.folder)
    assert run.status.state == "finished" and run.epochs[:6] == before and len(run.epochs) == 8
    assert json.loads((run.folder / "config.json").read_text())["schema_version"] == 2
    assert run.card.title == "first try" and run.metrics.test.n == 3
    assert run.model_file.name == "head.keras" and not (run.folder / "model.keras").exists()


def test_continued_run_keeps_its_finished_repeats(workspace):
    """Also if a setting was added since they were done."""
    run = runs.load(REPEATED)
    file = run.folder / "rounds.json"
    old = json.loads(file.read_text())
    del old["recipe"]["l2"]
    file.write_text(json.dumps(old))
    table = run.read_table("rounds.parquet")
    table["p_COVID"] += 0.001 * (table["round"] == 2)  # so that it differs from a repeat that is trained again
    table.to_parquet(run.folder / "rounds.parquet")
    second = table.query("round == 2").drop(columns="round").reset_index(drop=True)
    pipeline.run(control.prepare_to_continue(run), run.folder)
    assert len(run.epochs) == 6 and len(run.resampling.done) == 2
    after = run.read_table("resampling.parquet").query("number == 2").drop(columns="number").reset_index(drop=True)
    assert after.equals(second)
