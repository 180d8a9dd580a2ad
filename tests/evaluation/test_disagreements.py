"""The images that only one of two runs predicts correctly."""

import shutil

import pytest

from cxrcore import runs
from cxrcore.evaluation import mcnemar, reported


@pytest.fixture
def other(made):
    """A copy of the run of two classes that answers NORMAL to all: correct are its 10 images of NORMAL."""
    copy = runs.Run(made[2].folder.parent / "20200101-000000-000-cxrtiny-0000")
    shutil.copytree(made[2].folder, copy.folder)
    table = copy.read_table("predictions.parquet")
    copy.write_table("predictions.parquet", table.assign(predicted="NORMAL", correct=table["label"] == "NORMAL"))
    return copy


def test_images_stand_on_the_side_of_the_run_that_is_correct(made, other):
    """[[9, 1], [2, 8]]: one of NORMAL is wrong in the first run alone, eight of the other class in the second alone."""
    found = mcnemar.disagreements(made[2], other)
    assert (len(found.only_first), len(found.only_second)) == (8, 1)
    assert set(found.only_second["label"]) == {"NORMAL"}
    test = mcnemar.compare(made[2], other).test
    assert (test.only_first, test.only_second) == (8, 1)


def test_row_is_the_number_in_the_reported_predictions(made, other):
    found = mcnemar.disagreements(made[2], other).only_second.iloc[0]
    table = reported.load(made[2]).table
    assert table["sha256"][found["row_first"]] == found["sha256"]
    assert table["predicted"][found["row_first"]] == found["predicted_first"] != "NORMAL"


def test_most_certain_errors_come_first(made, other):
    table = other.read_table("predictions.parquet")
    chosen = table["label"] != "NORMAL"
    table.loc[chosen, "p_NORMAL"] = [0.6 + 0.01 * number for number in range(chosen.sum())]
    other.write_table("predictions.parquet", table)
    found = mcnemar.disagreements(made[2], other).only_first
    assert found["confidence_second"].is_monotonic_decreasing


def test_confusion_is_that_of_the_reported_predictions(made):
    assert reported.confusion(made[2]) == [[9, 1], [2, 8]]
