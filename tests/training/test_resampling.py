"""Folds and repeats: whole patients, every image once, the mean with its interval."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.config.run_config import make, merge, validated
from cxrcore.data import dataset, split
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals, saved_model
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.training import pipeline, resampling

FAST = {"dataset": "phantom", "size": 64, "head": "gap", "epochs": 3}


def _table(patients, images):
    rows = [(label, f"{label} {k}") for label in "abc" for k in range(patients) for _ in range(images)]
    return pd.DataFrame(rows, columns=["label", "patient"]).assign(given_split="")


def _run(**values):
    config = run_config.make(**(FAST | values))
    return pipeline.run(config, runs.create(config).folder)


def _predictions(run):
    return run.read_table("resampling.parquet")


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 5), st.integers(1, 3))
def test_folds_test_each_image_once_and_split_no_patient(folds, seed, images):
    table = _table(12, images)
    splits = resampling.splits(make(dataset="d", head="gap", resampling={"folds": folds}, split={"seed": seed}), table)
    assert len(splits) == folds
    assert (sum((parts == dataset.TEST).astype(int) for parts in splits) == 1).all()
    for parts in splits:
        assert table.assign(part=parts).groupby("patient")["part"].nunique().max() == 1
        assert set(parts) == {dataset.TRAIN, dataset.VALIDATION, dataset.TEST}


def test_folds_of_the_tutorial_are_by_image():
    table = _table(4, 5)
    splits = resampling.splits(make("tutorial", dataset="d", resampling={"folds": 5}), table)
    assert (sum((parts == dataset.TEST).astype(int) for parts in splits) == 1).all()
    assert any(table.assign(part=parts).groupby("patient")["part"].nunique().max() > 1 for parts in splits)


def test_repeats_are_the_splits_of_the_next_seeds():
    table = _table(10, 2)
    splits = resampling.splits(make(dataset="d", head="gap", resampling={"repeats": 3}, split={"seed": 4}), table)
    for number, parts in enumerate(splits):
        pd.testing.assert_series_equal(parts, split.by_patient(table, 0.2, 0.1, 4 + number))


def test_fold_without_a_class_is_refused():
    table = _table(12, 1)
    table = table[(table["label"] != "b") | table["patient"].isin(["b 0", "b 1", "b 2"])].reset_index(drop=True)
    with pytest.raises(UserError, match="Class 'b' has too few patients for 5 folds"):
        resampling.splits(make(dataset="d", resampling={"folds": 5}), table)


def test_interval_of_resampling_by_hand():
    """Of 0.9, 0.8, 1.0: s^2 = 0.01, (1/3 + 1/4) 0.01 under the root, t of 2 degrees of freedom."""
    low, high = intervals.of_resampling([0.9, 0.8, 1.0], 0.25)
    half = stats.t.ppf(0.975, 2) * np.sqrt(0.01 * (1 / 3 + 1 / 4))
    assert low == pytest.approx(0.9 - half) and high == 1.0
    assert intervals.of_resampling([0.9], 0.25) is None
    assert intervals.of_resampling([1.0, 1.0, 1.0], 0.25) is None, "equal values say nothing of the spread"


def test_summary_by_hand():
    def tested(accuracy):
        metric, absent = Metric(accuracy, n=20), Metric(None)
        return ClassificationMetrics(20, 5, ["a"], metric, metric, absent, absent, absent, [[20]], {})

    config = make(dataset="d", resampling={"repeats": 5})
    found = resampling.summary(config, [tested(0.9), tested(0.8), tested(1.0)], 0.25)
    low, high = intervals.of_resampling([0.9, 0.8, 1.0], 0.25)
    assert (found.kind, found.planned) == ("repeated", 5)
    assert [metric.value for metric in found.done] == [0.9, 0.8, 1.0]
    assert set(found.mean) == {"accuracy", "balanced_accuracy"}, "without F1, which no repeat has"
    accuracy = found.mean["accuracy"]
    assert (accuracy.value, accuracy.low, accuracy.high, accuracy.n) == (pytest.approx(0.9), low, high, 60)
    assert found.settings["resampling"] == {"folds": 0, "repeats": 5}


def test_run_with_folds_keeps_the_mean_and_the_model_of_the_first(phantom):
    run = _run(resampling={"folds": 3})
    found, table = run.resampling, _predictions(run)
    assert sorted(table["sha256"]) == sorted(phantom.usable["sha256"]) and set(table["split"]) == {"test"}
    accuracies = table.assign(correct=table["label"] == table["predicted"]).groupby("number")["correct"].mean()
    assert found.mean["accuracy"].value == pytest.approx(accuracies.mean())
    assert [metric.value for metric in found.done] == pytest.approx(list(accuracies))
    assert (found.kind, found.planned, found.mean["accuracy"].n) == ("kfold", 3, 60)
    first = table[table["number"] == 1].drop(columns="number").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, run.predictions("test"))
    again, _ = saved_model.evaluate(run)
    assert np.abs(again["p_COVID"].to_numpy() - first["p_COVID"].to_numpy()).max() < 1e-4


def test_run_stopped_between_repeats_keeps_them_and_is_continued(phantom):
    config = make(**(FAST | {"resampling": {"repeats": 3}}))
    run = runs.create(config)

    def progress(stage, done, total):
        if stage == "resampling" and done == 2:
            (run.folder / "stop").touch()

    pipeline.run(config, run.folder, progress)
    assert run.status.state == "stopped" and len(run.resampling.done) == 2 and run.metrics
    before = _predictions(run)
    (run.folder / "stop").unlink()
    pipeline.run(config, run.folder)
    assert run.status.state == "finished" and len(run.resampling.done) == 3 and len(run.epochs) == 3
    after = _predictions(run)
    pd.testing.assert_frame_equal(after[after["number"] < 3], before)


def test_folds_of_other_settings_are_not_averaged(phantom):
    """A run that is continued for more epochs trains every fold again."""
    run = _run(resampling={"folds": 2}, epochs=2)
    before = _predictions(run)
    pipeline.run(validated(merge(run.config.plain(), {"epochs": 9})), run.folder)
    after = _predictions(run)
    assert run.resampling.settings["epochs"] == 9
    for number in (1, 2):
        old, new = (table[table["number"] == number]["p_COVID"].to_numpy() for table in (before, after))
        assert np.abs(old - new).max() > 1e-4


def test_logistic_head_has_no_validation_part():
    """It trains on what other heads are validated on, in the same splits."""
    table = _table(10, 2)
    for chosen in ({"resampling": {"folds": 3}}, {}):
        kinds = [resampling.splits(make(dataset="d", head=head, **chosen), table) for head in ("gap", "logistic")]
        for other, found in zip(*kinds, strict=True):
            pd.testing.assert_series_equal(found, other.replace(dataset.VALIDATION, dataset.TRAIN))
            assert set(other) == {*dataset.PARTS} and set(found) == {dataset.TRAIN, dataset.TEST}
