import numpy as np
import pytest

from cxrcore.evaluation import linear_probe


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(180, 20)).astype(np.float32)


LABELS = np.repeat(["a", "b", "c"], 60)
PATIENTS = [f"p{k // 2}" for k in range(180)]


def test_noise_does_not_predict_the_label(noise):
    found = linear_probe.accuracy(noise, LABELS, PATIENTS)
    assert found.low < 1 / 3 and found.value < 0.45 and found.n == 180


def test_perfect_features_have_the_wilson_interval_of_the_patients(noise):
    noise[np.arange(180), np.repeat([0, 1, 2], 60)] += 12
    found = linear_probe.accuracy(noise, LABELS, PATIENTS)
    assert (found.value, found.high) == (1.0, 1.0) and found.low == pytest.approx(90 / (90 + 1.959964**2))


def test_a_code_of_the_patient_does_not_help_with_new_patients():
    """Two images of a patient share a random code: with patients on both sides of a fold, the code gives the class."""
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(40, 200)).repeat(2, axis=0).astype(np.float32)
    labels = rng.permutation(np.repeat(["a", "b"], 20)).repeat(2)
    assert linear_probe.accuracy(codes, labels, [f"p{k // 2}" for k in range(80)]).low < 0.5


def test_interval_is_by_patient():
    """Each vector four times: as images of one patient they count once, as patients of their own four times."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 40)
    vectors = rng.normal(size=(80, 3)) + (labels == "b")[:, None]
    repeated, names = vectors.repeat(4, axis=0), labels.repeat(4)
    by_patient = linear_probe.accuracy(repeated, names, [f"p{k // 4}" for k in range(320)])
    share = by_patient.value
    assert 0.6 < share < 0.95
    width = 2 * 1.96 * np.sqrt(share * (1 - share) / 80)
    assert by_patient.high - by_patient.low == pytest.approx(width, rel=0.15)
