"""The paired test of two runs, against known tables; runs side by side."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.evaluation import mcnemar, run_comparison
from cxrcore.training import pipeline


def _table(both, only_first, only_second, neither):
    counts = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


@pytest.mark.parametrize(
    ("table", "p"),
    [
        # 25 against 15 of 10,000, the example of the documentation of mlxtend's exact test: p = 0.154
        ((9945, 25, 15, 15), 0.15386),
        # 11 against 1 of 100, by hand: 2 (1 + 12) / 2^12
        ((80, 11, 1, 8), 26 / 4096),
        ((5, 0, 6, 0), 2 / 64),
        ((5, 3, 3, 1), 1.0),
        ((5, 0, 0, 1), 1.0),
    ],
)
def test_mcnemar_of_known_tables(table, p):
    found = mcnemar.mcnemar(*_table(*table))
    assert found["p"] == pytest.approx(p, abs=5e-5)
    assert (found["both"], found["only_first"], found["only_second"], found["neither"]) == table


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_test_does_not_depend_on_who_is_first(pairs):
    first, second = np.array(pairs).T
    one, other = mcnemar.mcnemar(first, second), mcnemar.mcnemar(second, first)
    assert one["p"] == other["p"] and one["only_first"] == other["only_second"]
    assert one["n"] == one["both"] + one["only_first"] + one["only_second"] + one["neither"]


def _again(trained, right):
    """A copy of the run whose first `right` test images are right and the others wrong."""
    config_, status = trained.config | {"learning_rate": 1e-4}, trained.status
    run = runs.create(config_)
    for path in trained.folder.iterdir():
        if path.is_file() and path.name not in ("config.json",):
            (run.folder / path.name).write_bytes(path.read_bytes())
    run.write("status.json", status)
    table = pd.read_parquet(run.folder / "predictions.parquet")
    tests = np.flatnonzero(table["split"] == "test")
    table.loc[tests, "correct"] = np.arange(len(tests)) < right
    run.write_table("predictions.parquet", table)
    return run


def test_two_runs_are_compared_on_the_images_both_were_tested_on(trained):
    good, bad = _again(trained, 12), _again(trained, 4)
    found = mcnemar.compare(good, bad)
    assert found["n"] == 12 and found["only_first"] == 8 and found["p"] == pytest.approx(2 / 2**8)
    assert "only the baseline has 8 right" in found["sentence"] and "the baseline is better" in found["sentence"]
    assert found["patients"] == 6 and "several images come from one patient (6 patients)" in found["sentence"]
    assert "the other is better" in mcnemar.compare(bad, good)["sentence"]
    assert "nothing speaks for either" in mcnemar.compare(good, good)["sentence"]
    assert "may well be chance" in mcnemar.compare(good, _again(trained, 10))["sentence"]


def test_runs_without_a_common_image_cannot_be_compared(trained):
    made = run_config.make(dataset="phantom", size=64, epochs=1, split={"seed": 3})
    other = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    table = pd.read_parquet(other.folder / "predictions.parquet")
    table["sha256"] = [f"other {k}" for k in range(len(table))]
    other.write_table("predictions.parquet", table)
    assert "no image in common" in mcnemar.compare(trained, other)["sentence"]
    (other.folder / "metrics.json").unlink()
    with pytest.raises(UserError, match="has no results"):
        mcnemar.compare(trained, other)


def test_the_table_shows_results_and_only_settings_that_differ(trained):
    other = _again(trained, 6)
    other.describe(title="slower", tags=["a", "b"])
    table = run_comparison.table([trained, other])
    assert run_comparison.differing([trained, other]) == ["learning_rate"]
    assert list(table["learning_rate"]) == [5e-3, 1e-4] and list(table["title"]) == ["", "slower"]
    assert table["tags"][1] == "a, b" and table["accuracy_low"][0] == trained.metrics["accuracy"]["ci95"][0]
    assert "head" not in table and list(table["rounds"]) == [1, 1]
