"""McNemar's test, against known tables and of two runs."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrcore.errors import UserError
from cxrcore.evaluation import mcnemar
from cxrcore.runs import Run


def _pairs(both, only_first, only_second, neither):
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
def test_exact_p_of_known_tables(table, p):
    test = mcnemar.mcnemar(*_pairs(*table))
    assert test.p == pytest.approx(p, abs=5e-5)
    assert (test.both, test.only_first, test.only_second, test.neither) == table


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_order_of_the_classifiers_does_not_matter(pairs):
    first, second = np.array(pairs).T
    one, other = mcnemar.mcnemar(first, second), mcnemar.mcnemar(second, first)
    assert one.p == other.p and one.only_first == other.only_second
    assert one.n == one.both + one.only_first + one.only_second + one.neither


@pytest.fixture
def copies(trained):
    """Copies of a run with other predictions of its twelve test images, all NORMAL in truth."""
    names = iter("abcd")

    def copy(correct=12, labels=None, **columns):
        run = Run(trained.folder.with_name(next(names)))
        shutil.copytree(trained.folder, run.folder)
        rows = run.predictions("test").assign(label=labels or ["NORMAL"] * 12)
        predicted = np.where(np.arange(12) < correct, "NORMAL", "COVID")
        rows = rows.assign(predicted=predicted, correct=predicted == rows["label"].to_numpy(), **columns)
        run.write_table("predictions.parquet", rows)
        return run

    return copy


def test_two_runs_on_the_same_images(copies):
    good, bad, medium = copies(12), copies(4), copies(10)
    found = mcnemar.compare(good, bad)
    assert (found.test.n, found.test.only_first, found.tested, found.relabelled) == (12, 8, (12, 12), 0)
    assert found.test.p == pytest.approx(2 / 2**8) and found.patients == 6
    sentence = str(found.sentence)
    assert "8 are correct only in the baseline and 0 only in the other run" in sentence
    assert "the baseline is better" in sentence and "come from only 6 patients" in sentence
    assert "the other run is better" in str(mcnemar.compare(bad, good).sentence)
    assert "no evidence of a difference" in str(mcnemar.compare(good, good).sentence)
    assert "may be due to chance" in str(mcnemar.compare(good, medium).sentence)


def test_images_whose_label_was_edited_are_left_out(copies):
    """Identical predictions; 9 labels were edited in between: nothing differs but the labels."""
    first, second = copies(12), copies(12, labels=["COVID"] * 9 + ["NORMAL"] * 3)
    found = mcnemar.compare(first, second)
    assert (found.test.n, found.relabelled, found.test.p) == (3, 9, 1.0)
    assert "9 images were left out because their label differs" in str(found.sentence)


def test_runs_without_a_common_image_cannot_be_compared(copies):
    first, second = copies(), copies(sha256=[f"other {k}" for k in range(12)])
    assert "no test image in common" in str(mcnemar.compare(first, second).sentence)
    (second.folder / "metrics.json").unlink()
    with pytest.raises(UserError, match="has no results"):
        mcnemar.compare(first, second)
