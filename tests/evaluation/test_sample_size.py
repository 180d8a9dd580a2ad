"""Test patients needed: against published examples and values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.evaluation import intervals, sample_size


@pytest.mark.parametrize(("right", "expected"), [(0.5, 381), (1.0, 35)])
def test_accuracy_by_hand(right, expected):
    """p = 0.5: n + z^2 = z^2 / (4 h^2) = 384.15, so 380.3. p = 1: z^2 / (2 (n + z^2)) = 0.05, so n = 9 z^2 = 34.6."""
    assert sample_size.for_accuracy(right) == expected


@pytest.mark.parametrize("percent", [60, 95])
def test_accuracy_is_the_first_n_whose_wilson_interval_is_narrow_enough(percent):
    n = sample_size.for_accuracy(percent / 100)
    n = -(-n // 100) * 100  # a count with so many percent
    low, high = intervals.wilson(percent * n // 100, n)
    assert (high - low) / 2 <= 0.05 + 1e-9
    low, high = intervals.wilson(percent, 100)
    assert ((high - low) / 2 <= 0.05) == (sample_size.for_accuracy(percent / 100) <= 100)


def test_auc_is_that_of_the_published_example():
    """Riley et al. 2021, deep vein thrombosis: C = 0.8, prevalence 0.018, interval of width 0.1."""
    assert sample_size.for_auc(0.8, 0.018) == pytest.approx(4252, abs=1)
    assert sample_size.for_auc(1.0, 0.5) is None
    assert sample_size.for_auc(0.999, 0.5) is None, "2 patients could not tell"
    assert sample_size.for_auc(0.8, 1 - 0.018) == sample_size.for_auc(0.8, 0.018), "either class may be the rare one"
    assert sample_size.for_auc(0.98, 0.05) is None and sample_size.for_auc(0.98, 0.95) is None


def test_observed_over_expected_by_hand():
    """Width 0.2: SE = asinh(0.1) / 1.96 = 0.05094, so n = (1 - f) / f * 385.4."""
    assert sample_size.for_observed_over_expected(0.5) == 386
    assert sample_size.for_observed_over_expected(0.1) == 3469


def test_slope_by_hand():
    """Logits +-ln 3: w = 3/16, so I_ab = 0 and n = 1 / (w x^2 SE^2) = 1 / (0.1875 * 1.2069 * 0.05102^2) = 1697.6."""
    assert sample_size.for_slope(np.log([3.0, 1 / 3])) == 1698
    assert sample_size.for_slope(np.array([2.0, 2.0])) is None


def test_the_class_that_needs_most_patients_decides():
    """Class a: 2 of 4 with AUC 0.75; class b is its mirror image; class c has no image."""
    table = pd.DataFrame({"label": ["a", "a", "b", "b"], "p_a": [0.9, 0.4, 0.6, 0.1], "p_c": 0.0})
    table = table.assign(p_b=1 - table["p_a"], correct=[True, False, False, True])
    found = sample_size.needed(table, ["a", "b", "c"])
    assert found.accuracy == 381 and found.auc == sample_size.for_auc(0.75, 0.5)
    slope = sample_size.for_slope(np.log(table["p_a"] / table["p_b"]).to_numpy())
    assert found.calibration == max(slope, 386)
    assert sample_size.needed(table.assign(p_a=[1, 1, 0, 0.0], p_b=[0, 0, 1, 1.0]), ["a", "b"], "a").auc is None


def test_sentences_group_thousands_and_name_the_calibration():
    said = [str(message) for message in sample_size.sentences(sample_size.SampleSize(53, None, 12020), 1297)]
    assert "about 53 test patients are needed; there are 1,297." in said[0]
    assert said[1] == "For the calibration of every class (observed/expected and slope within 0.1): 12,020."
