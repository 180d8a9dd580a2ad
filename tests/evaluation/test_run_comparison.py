import math

import pytest

from cxrcore import runs
from cxrcore.evaluation import intervals, run_comparison
from tests import synthetic_runs


def test_table_has_results_and_only_the_settings_that_differ(trained):
    other = runs.create(trained.config.model_copy(update={"learning_rate": 1e-4, "tensorboard": True}), queued=True)
    other.describe(title="slower", tags=["a", "b"])
    table = run_comparison.table([trained, other])
    assert run_comparison.differing([trained.settings, other.settings]) == ["learning_rate"]
    assert list(table["learning_rate"]) == [5e-3, 1e-4] and list(table["title"]) == ["", "slower"]
    assert list(table["state"]) == ["finished", "queued"] and table["tags"][1] == "a, b"
    assert table["accuracy_low"][0] == trained.results.test.accuracy.low and math.isnan(table["accuracy"][1])
    assert "head" not in table and list(table["resampling"]) == [1, 1]


def test_settings_of_a_section_that_one_run_has_not_differ(trained):
    other = runs.create(trained.config.model_copy(update={"plateau": None}), queued=True)
    assert "plateau.patience" in run_comparison.differing([trained.settings, other.settings])


def test_row_of_folds_has_their_mean_and_counts_all_images(made):
    """17 of 20 and 10 of 20; half of the 40 images are NORMAL."""
    run = synthetic_runs.fold(made[2], "kfold", [10])
    row = run_comparison.table([run]).loc[0].to_dict()
    assert (row["run"], row["n_test"], row["resampling"]) == (run.name, 40, 2)
    assert row["accuracy"] == row["balanced_accuracy"] == pytest.approx((0.85 + 0.5) / 2)
    assert (row["baseline"], row["baseline_low"], row["baseline_high"]) == (0.5, *intervals.wilson(20, 40))
    assert (row["verdict"], row["kept_epoch"], row["seconds"]) == ("good", 1, 1.0)
    single = run_comparison.table([made[10]]).loc[0].to_dict()
    assert (single["n_test"], single["accuracy"], single["resampling"]) == (40, 0.75, 1)


def test_row_without_results_has_no_numbers(made):
    run = runs.create(made[2].config, queued=True)
    row = run_comparison.table([run]).loc[0].to_dict()
    missing = ("n_test", "accuracy", "accuracy_high", "verdict", "baseline", "baseline_low", "kept_epoch", "seconds")
    assert (row["state"], row["resampling"]) == ("queued", 1) and all(row[name] is None for name in missing)
