import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrcore.evaluation import intervals


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


def test_nothing_of_nothing_can_be_anything():
    assert intervals.wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_its_formula(pair):
    k, n = pair
    z, p = 1.959963984540054, k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert intervals.wilson(k, n) == pytest.approx((centre - half, centre + half), abs=1e-9)


def _accuracy(matrices):
    return np.trace(matrices, axis1=1, axis2=2) / matrices.sum(axis=(1, 2))


def test_one_image_a_patient_gives_nearly_the_binomial_interval():
    true, predicted = np.zeros(400, int), np.repeat([0, 1], [320, 80])
    low, high = intervals.by_patient(true, predicted, [str(k) for k in range(400)], 2, _accuracy)
    assert low == pytest.approx(0.8 - 1.96 * 0.02, abs=0.005)
    assert high == pytest.approx(0.8 + 1.96 * 0.02, abs=0.005)


def test_images_of_one_patient_do_not_count_as_independent():
    """400 images of 40 patients, each all right or all wrong: the interval is that of 40 patients."""
    true, predicted = np.zeros(400, int), np.repeat([0, 1], [320, 80])
    patients = [str(k // 10) for k in range(400)]
    low, high = intervals.by_patient(true, predicted, patients, 2, _accuracy)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 40), abs=0.03)


def test_the_bootstrap_is_seeded():
    arguments = (np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]), list("abcd"), 2, _accuracy)
    assert (intervals.by_patient(*arguments) == intervals.by_patient(*arguments)).all()
