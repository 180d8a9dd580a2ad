import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrcore.evaluation import intervals
from cxrcore.metric import Metric


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (73, 75, 0.908, 0.993),  # the tutorials' best result
        (0, 10, 0.0, 0.2775),  # Newcombe 1998: z^2 / (n + z^2)
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
    ],
)
def test_published_wilson_intervals(successes, n, low, high):
    assert intervals.wilson(successes, n) == pytest.approx((low, high), abs=6e-4)


def test_wilson_interval_with_n_zero():
    assert intervals.wilson(0, 0) == (0.0, 1.0)


def test_proportion_of_zero_has_neither_value_nor_interval():
    assert intervals.proportion(0, 0) == Metric(None, None, None, n=0, successes=0)
    assert intervals.proportion(1, 2).value == 0.5 and intervals.proportion(1, 2).low == intervals.wilson(1, 2)[0]


def test_mean_of_one_patient_has_no_interval():
    values = np.array([0.1, 0.4, np.nan])
    assert intervals.mean(values, np.array(["a", "a", "a"])) == Metric(0.25, n=2)
    several = intervals.mean(values, np.array(["a", "b", "a"]))
    assert several.value == 0.25 and (several.low, several.high) == pytest.approx((0.1, 0.4))


def test_mean_of_no_finite_value_is_none():
    assert intervals.mean(np.array([np.nan]), np.array(["a"])) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_matches_its_formula(pair):
    k, n = pair
    z, p = 1.959963984540054, k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert intervals.wilson(k, n) == pytest.approx((centre - half, centre + half), abs=1e-9)


def _accuracy(matrices):
    return np.trace(matrices, axis1=1, axis2=2) / matrices.sum(axis=(1, 2))


def test_bootstrap_with_one_image_per_patient_is_close_to_the_binomial_interval():
    true, predicted = np.zeros(400, int), np.repeat([0, 1], [320, 80])
    low, high = intervals.of_confusion(true, predicted, [str(k) for k in range(400)], 2, _accuracy)
    assert low == pytest.approx(0.8 - 1.96 * 0.02, abs=0.005)
    assert high == pytest.approx(0.8 + 1.96 * 0.02, abs=0.005)


def test_bootstrap_does_not_treat_images_of_one_patient_as_independent():
    """400 images of 40 patients, each all correct or all wrong: the interval is that of 40 patients."""
    true, predicted = np.zeros(400, int), np.repeat([0, 1], [320, 80])
    patients = [str(k // 10) for k in range(400)]
    low, high = intervals.of_confusion(true, predicted, patients, 2, _accuracy)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 40), abs=0.03)


def test_the_bootstrap_is_seeded():
    arguments = (np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), list("abcd"), 2, _accuracy)
    assert (intervals.of_confusion(*arguments) == intervals.of_confusion(*arguments)).all()


def test_difference_matches_published_examples():
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 has 0.0524 to 0.3339, 10/10 - 0/10 has 0.6075 to 1."""
    assert intervals.difference((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    low, high = intervals.difference((10, 10), (0, 10))
    assert (low, high) == pytest.approx((0.6075, 1.0), abs=5e-5)


@pytest.mark.parametrize("p", [0.6, 0.75, 0.8, 0.9])
def test_wilson_interval_coverage(p):
    """20,000 test sets of 75 images; exact coverage of Wilson's interval moves between 93 and 97 % with p."""
    correct = np.random.default_rng(0).binomial(75, p, 20_000)
    bounds = np.array([intervals.wilson(k, 75) for k in range(76)])[correct]
    assert 0.93 <= ((bounds[:, 0] <= p) & (p <= bounds[:, 1])).mean() <= 0.97


@pytest.mark.parametrize(
    ("images", "count"), [(0, 2000), (2000, 2000), (3200, 1250), (8000, 500), (20_000, 200), (112_120, 200)]
)
def test_number_of_resamples_of_many_images(images, count):
    assert intervals.resamples(images) == count


def test_resamples_of_many_images_are_computed_some_at_a_time(monkeypatch):
    """60 images in all: 25 resamples of 12 images have 300 drawn, of which at most 96 are held at once."""
    for name, value in {"RESAMPLES": 60, "MANY": 5, "_FEWEST": 10, "_CHUNK_IMAGES": 96}.items():
        monkeypatch.setattr(intervals, name, value)
    shapes = []
    patients = [str(k // 2) for k in range(12)]
    found = intervals.of_weights(patients, lambda weights: shapes.append(weights.shape) or weights[:, :2].sum(axis=1))
    assert shapes == [(8, 12), (8, 12), (8, 12), (1, 12)]
    monkeypatch.setattr(intervals, "_CHUNK_IMAGES", 10**6)
    assert (intervals.of_weights(patients, lambda weights: weights[:, :2].sum(axis=1)) == found).all()
