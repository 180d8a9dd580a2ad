"""Repeated hold-out and k-fold: whole patients, every image once, the mean with its interval."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import split
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals
from cxrcore.training import pipeline, resampling

FAST = {"dataset": "phantom", "size": 64, "epochs": 3}


def _table(patients, images):
    rows = [(label, f"{label} {k}") for label in "abc" for k in range(patients) for _ in range(images)]
    return pd.DataFrame(rows, columns=["label", "patient"]).assign(given_split="")


def _run(**values):
    made = run_config.make(**(FAST | values))
    return pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 5), st.integers(1, 3))
def test_each_image_is_tested_on_once_and_no_patient_is_on_two_sides(count, seed, images):
    table = _table(12, images)
    made = run_config.make(dataset="d", design={"kind": "kfold", "rounds": count}, split={"seed": seed})
    splits = resampling.splits(made, table)
    assert len(splits) == count
    assert (sum((parts == split.TEST).astype(int) for parts in splits) == 1).all()
    for parts in splits:
        assert table.assign(part=parts).groupby("patient")["part"].nunique().max() == 1
        assert set(parts) == {split.TRAIN, split.VALIDATION, split.TEST}


def test_the_tutorials_split_deals_out_single_images():
    table = _table(4, 5)
    made = run_config.make("tutorial", dataset="d", design={"kind": "kfold", "rounds": 5})
    splits = resampling.splits(made, table)
    assert (sum((parts == split.TEST).astype(int) for parts in splits) == 1).all()
    assert any(table.assign(part=parts).groupby("patient")["part"].nunique().max() > 1 for parts in splits)


def test_repeated_rounds_are_the_splits_of_the_next_seeds():
    table = _table(10, 2)
    made = run_config.make(dataset="d", design={"kind": "repeated", "rounds": 3}, split={"seed": 4})
    for number, parts in enumerate(resampling.splits(made, table)):
        pd.testing.assert_series_equal(parts, split.by_patient(table, 0.2, 0.1, 4 + number))


def test_the_sources_split_has_one_round():
    with pytest.raises(UserError, match="has one round"):
        run_config.make(dataset="d", split={"kind": "given"}, design={"kind": "kfold"})


def test_the_interval_of_rounds_by_hand():
    """Of 0.9, 0.8, 1.0: s^2 = 0.01, (1/3 + 1/4) 0.01 under the root, t of 2 degrees of freedom."""
    low, high = intervals.of_rounds([0.9, 0.8, 1.0], 0.25)
    half = stats.t.ppf(0.975, 2) * np.sqrt(0.01 * (1 / 3 + 1 / 4))
    assert low == pytest.approx(0.9 - half) and high == 1.0
    assert intervals.of_rounds([0.9], 0.25) is None
    assert intervals.of_rounds([1.0, 1.0, 1.0], 0.25) is None  # nothing is known of their spread


def test_a_run_of_folds_keeps_the_mean_and_the_first_rounds_model(phantom):
    run = _run(design={"kind": "kfold", "rounds": 3})
    found, table = run.rounds, pd.read_parquet(run.folder / "rounds.parquet")
    assert sorted(table["sha256"]) == sorted(phantom.usable["sha256"]) and set(table["split"]) == {"test"}
    by_round = table.assign(right=table["label"] == table["predicted"]).groupby("round")["right"].mean()
    assert found["mean"]["accuracy"]["value"] == pytest.approx(by_round.mean())
    assert [row["value"] for row in found["done"]] == pytest.approx(list(by_round))
    assert found["mean"]["accuracy"]["n"] == 60 and found["planned"] == 3
    first = table[table["round"] == 1].drop(columns="round").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, run.predictions("test"))
    from cxrcore.inference import predict

    again, _ = predict.evaluate(run)
    assert np.abs(again["p_COVID"].to_numpy() - first["p_COVID"].to_numpy()).max() < 1e-4


def test_a_run_stopped_between_rounds_keeps_them_and_goes_on_later(phantom):
    made = run_config.make(**(FAST | {"design": {"kind": "repeated", "rounds": 3}}))
    run = runs.create(made.model_dump(mode="json"))

    def listen(stage, done, total):
        if stage == "rounds" and done == 2:
            (run.folder / "stop").touch()

    pipeline.run(made, run.folder, listen)
    assert run.status["state"] == "stopped" and len(run.rounds["done"]) == 2 and run.metrics
    before = pd.read_parquet(run.folder / "rounds.parquet")
    (run.folder / "stop").unlink()
    pipeline.run(made, run.folder)
    assert run.status["state"] == "finished" and len(run.rounds["done"]) == 3 and len(run.epochs) == 3
    after = pd.read_parquet(run.folder / "rounds.parquet")
    pd.testing.assert_frame_equal(after[after["round"] < 3], before)


def test_a_fold_without_a_class_is_refused():
    table = _table(12, 1)
    table = table[(table["label"] != "b") | table["patient"].isin(["b 0", "b 1", "b 2"])].reset_index(drop=True)
    with pytest.raises(UserError, match="Class 'b' has too few patients for 5 folds"):
        resampling.splits(run_config.make(dataset="d", design={"kind": "kfold", "rounds": 5}), table)


def test_rounds_of_another_recipe_are_not_averaged(phantom):
    """A run that goes on for more epochs trains every round again."""
    run = _run(design={"kind": "kfold", "rounds": 2}, epochs=2)
    made = run_config.RunConfig(**(run.config | {"epochs": 9}))
    before = pd.read_parquet(run.folder / "rounds.parquet")
    pipeline.run(made, run.folder)
    after = pd.read_parquet(run.folder / "rounds.parquet")
    assert run.rounds["recipe"]["epochs"] == 9
    for number in (1, 2):
        old, new = (table[table["round"] == number]["p_COVID"].to_numpy() for table in (before, after))
        assert np.abs(old - new).max() > 1e-4
