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


def test_classifier_is_standardised_and_weakly_regularised_by_hand():
    """Standardised, 3 and 7 are -1 and 1. There the weight of least loss w^2 / 2 + 0.1 * 2 ln(1 + exp(-w)) has the
    derivative w - 0.2 / (1 + exp(w)) = 0.
    """
    fitted = linear_probe.classifier().fit([[3.0], [7.0]], [0, 1])
    weight = fitted[-1].coef_[0, 0]
    assert weight * (1 + np.exp(weight)) == pytest.approx(0.2, abs=1e-4) and weight > 0
    assert fitted.predict([[4.9], [5.1]]).tolist() == [0, 1]


@pytest.mark.parametrize(("patients", "folds"), [(1, 2), (3, 3), (5, 5), (9, 5)])
def test_as_many_folds_as_patients_of_the_smallest_class_from_2_to_5(patients, folds, monkeypatch):
    """Two images of each patient of the small class."""
    asked, real = [], linear_probe.split.folds

    def recorded(*values):
        asked.append(values[2:])
        return real(*values)

    monkeypatch.setattr(linear_probe.split, "folds", recorded)
    labels = ["a"] * 12 + ["b"] * 2 * patients
    names = [f"a{k}" for k in range(12)] + [f"b{k // 2}" for k in range(2 * patients)]
    linear_probe.accuracy(np.arange(len(labels))[:, None], labels, names, seed=7)
    assert asked == [(folds, 7)]


def _six_of_eight_are_correct():
    """Four points of each class, one of which is among those of the other class."""
    side = np.array([1.0, 1.0, 1.0, -1.0])
    return np.concatenate([side, -side])[:, None], ["a"] * 4 + ["b"] * 4, [f"p{k}" for k in range(8)]


def test_confidence_of_the_interval():
    """6 of 8 are correct: the percentiles of the binomial distribution of 8 draws with 3/4.

    At most 3 have 2.7 %, at most 4 11 %, at most 5 32 %, at most 6 63 % and at most 7 90 %: the middle 90 % are from 4
    to 8, the middle 50 % from 5 to 7.
    """
    found = linear_probe.accuracy(*_six_of_eight_are_correct(), confidence=0.9)
    assert (found.value, found.low, found.high, found.n) == (0.75, 4 / 8, 1.0, 8)
    narrow = linear_probe.accuracy(*_six_of_eight_are_correct(), confidence=0.5)
    assert (narrow.value, narrow.low, narrow.high) == (0.75, 5 / 8, 7 / 8)


def test_confidence_of_the_interval_where_all_are_correct(noise):
    noise[np.arange(180), np.repeat([0, 1, 2], 60)] += 12
    found = linear_probe.accuracy(noise, LABELS, PATIENTS, confidence=0.9)
    assert found.low == pytest.approx(90 / (90 + 1.644854**2), abs=1e-6) and found.n == 180


def test_seed_is_that_of_the_resamples():
    """Patients have 1 to 8 images, of which the first ones are wrong: the bounds have many possible values."""
    patients = np.repeat([f"p{k}" for k in range(16)], np.arange(16) % 8 + 1)
    labels = np.repeat(["a", "b"], 36)
    vectors = np.where(labels == "a", 1.0, -1.0) * np.where(np.arange(72) % 4 == 0, -1, 1)
    found = [linear_probe.accuracy(vectors[:, None], labels, patients, seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] and found[0].value == found[2].value == 0.75
    assert (found[0].low, found[0].high) != (found[2].low, found[2].high)


def test_only_patient_of_a_class_is_predicted_as_the_other_one():
    """Where its two images are held out, nothing is known of their class."""
    vectors = np.array([0.0, 1, 2, 3, 90, 91])[:, None]
    found = linear_probe.accuracy(vectors, ["a"] * 4 + ["b"] * 2, ["p", "q", "r", "s", "t", "t"])
    assert (found.value, found.n) == (pytest.approx(4 / 6), 6)
    two = linear_probe.accuracy(np.array([[0.0], [1.0]]), ["a", "b"], ["p", "q"])
    assert (two.value, two.n) == (0, 2)


def test_each_patient_is_predicted_once_by_a_classifier_of_the_others(monkeypatch):
    """Two classes of 5 patients with an image each: five times 8 images are learned and the other 2 predicted."""
    calls = []

    class Recorded:
        def fit(self, vectors, true):
            self.known = set(vectors.ravel())
            assert len(vectors) == len(true)
            return self

        def predict(self, unseen):
            calls.append((len(self.known), len(unseen), len(self.known & set(unseen.ravel()))))
            return np.zeros(len(unseen), int)

    monkeypatch.setattr(linear_probe, "classifier", Recorded)
    found = linear_probe.accuracy(np.arange(10.0)[:, None], ["a", "b"] * 5, [f"p{k}" for k in range(10)])
    assert calls == [(8, 2, 0)] * 5 and found.value == 0.5
