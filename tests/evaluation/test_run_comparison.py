import math

from cxrcore import runs
from cxrcore.evaluation import run_comparison


def test_table_has_results_and_only_the_settings_that_differ(trained):
    other = runs.create(trained.config.model_copy(update={"learning_rate": 1e-4, "tensorboard": True}), queued=True)
    other.describe(title="slower", tags=["a", "b"])
    table = run_comparison.table([trained, other])
    assert run_comparison.differing([trained, other]) == ["learning_rate"]
    assert list(table["learning_rate"]) == [5e-3, 1e-4] and list(table["title"]) == ["", "slower"]
    assert list(table["state"]) == ["finished", "queued"] and table["tags"][1] == "a, b"
    assert table["accuracy_low"][0] == trained.results.test.accuracy.low and math.isnan(table["accuracy"][1])
    assert "head" not in table and list(table["resampling"]) == [1, 1]


def test_settings_of_a_section_that_one_run_has_not_differ(trained):
    other = runs.create(trained.config.model_copy(update={"plateau": None}), queued=True)
    assert "plateau.patience" in run_comparison.differing([trained, other])
