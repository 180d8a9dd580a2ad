"""The solver of the logistic head and the choice by cross-validation, on arrays alone."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from cxrcore.errors import UserError
from cxrcore.training import kept_vectors, selection
from cxrcore.training.logistic import LogisticModel, Problem, Standardisation
from cxrcore.training.selection import Candidate, Examples


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads would wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


def _blobs(images, features, classes=3, seed=0, distance=1.0):
    """Return vectors around a random centre of each class, float32 (images, features), and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    centres = distance * rng.normal(size=(classes, features))
    return (centres[labels] + 2 * rng.normal(size=(images, features))).astype(np.float32), labels


def _examples(labels, copies=0, patients=None):
    rows = np.arange(len(labels))
    places = len(labels) * (1 + np.arange(copies)) + rows[:, None]
    names = patients or [f"p{k // 2}" for k in rows]
    return Examples(rows, labels, names, np.eye(labels.max() + 1)[labels], np.ones(len(labels)), places)


def _of_scikit_learn(inputs, labels, l2, weights=None):
    found = LogisticRegression(C=1 / (2 * len(labels) * l2), tol=1e-7, max_iter=20_000, class_weight=weights)
    return found.fit(inputs, labels).predict_proba(inputs)


@pytest.mark.parametrize(("images", "features"), [(90, 8), (40, 120)])
@pytest.mark.parametrize("balanced", [False, True])
def test_matches_sklearn_cold_and_warm_started(images, features, balanced):
    vectors, labels = _blobs(images, features)
    labels[:12] = 0  # classes of different sizes
    inputs = Standardisation.of([vectors]).apply(vectors)
    counts = np.bincount(labels)
    weights = (len(labels) / (3 * counts))[labels] if balanced else np.ones(images)
    problem = Problem([inputs], np.eye(3)[labels], weights)
    start = None
    for l2 in (1.0, 0.003):
        expected = _of_scikit_learn(inputs, labels, l2, "balanced" if balanced else None)
        for begin in (None, start):
            found = problem.solve(l2, begin)
            assert np.abs(found.probabilities(inputs) - expected).max() < 1e-4
        start = found


def test_images_that_occur_twice_count_twice():
    """Twelve images in 30 dimensions, each twice: z z^T has no full rank."""
    vectors, labels = _blobs(12, 30)
    inputs = Standardisation.of([vectors]).apply(vectors)
    one = Problem([inputs], np.eye(3)[labels], np.ones(12)).solve(0.01)
    two = Problem([np.tile(inputs, (2, 1))], np.eye(3)[np.tile(labels, 2)], np.ones(24)).solve(0.01)
    np.testing.assert_allclose(one.probabilities(inputs), two.probabilities(inputs), atol=1e-5)


def test_constant_features_predict_the_shares_of_the_classes():
    labels = np.array([0, 0, 0, 1])
    vectors = np.tile(np.float32([5, 0, 1e-9]), (4, 1))
    vectors[3] = [5 + 1e-6, 0, 0]  # differs by what float32 and Keras take for 0
    for width in (3, 1):  # fewer images than features is another way of solving
        standardisation = Standardisation.of([np.tile(vectors, (1, width))])
        assert standardisation.scale.tolist() == [1.0] * 3 * width
        inputs = standardisation.apply(np.tile(vectors, (1, width)))
        found = Problem([inputs], np.eye(2)[labels], np.ones(4)).solve(0.1)
        np.testing.assert_allclose(found.probabilities(inputs)[0], [0.75, 0.25], atol=1e-5)


def test_standardisation_by_hand():
    found = Standardisation.of([np.float32([[1, 10], [3, 10]])])
    assert found.mean.tolist() == [2, 10] and found.scale.tolist() == [1, 1]
    assert found.apply(np.float32([[3, 11]])).tolist() == [[1, 1]]


def test_class_without_training_images_gets_nearly_no_probability():
    vectors, labels = _blobs(30, 4, classes=2)
    inputs = Standardisation.of([vectors]).apply(vectors)
    found = Problem([inputs], np.eye(3)[labels], np.ones(30)).solve(0.1).probabilities(inputs)
    assert found[:, 2].max() < 1e-3 and np.isfinite(found).all()


def test_temperature_of_simulated_logits_is_recovered():
    """Labels drawn from softmax(z) whose logits are stated three times too large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5_000, 3))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((5_000, 1))).sum(axis=1)
    assert selection.fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)


def test_temperature_is_1_where_every_image_is_correct():
    assert selection.fit_temperature(np.array([[2.0, 1.0], [0.0, 0.1]]), np.array([0, 1])) == 1


def test_informative_candidate_is_chosen_without_the_test_images():
    vectors, labels = _blobs(60, 6, distance=2.0)
    noise = np.random.default_rng(1).normal(size=vectors.shape)
    tested = np.arange(60) >= 48
    asked = set()

    def features(candidate, rows):
        assert not tested[rows].any(), "a test image"
        asked.update(rows.tolist())
        return (vectors if candidate.tap == "informative" else noise)[rows]

    candidates = [Candidate(64, "noise"), Candidate(64, "informative")]
    found = selection.select(candidates, features, _examples(labels[:48]))
    assert found.candidate.tap == "informative" and asked == set(range(48))
    assert [trial.tap for trial in found.trials] == ["noise", "informative"]
    assert found.trials[1].accuracy.n == 48 and found.trials[1].loss < found.trials[0].loss
    expected = (found.logits.argmax(axis=1) == found.examples.labels).mean()
    assert found.trials[1].accuracy.value == pytest.approx(expected)
    patients = {}
    for patient, fold in zip(found.examples.patients, found.fold, strict=True):
        assert patients.setdefault(patient, fold) == fold, "whole patients"


def test_first_of_equal_candidates_is_chosen():
    vectors, labels = _blobs(24, 4)
    found = selection.select([Candidate(64, "a"), Candidate(64, "b")], lambda _, rows: vectors[rows], _examples(labels))
    assert found.candidate.tap == "a" and found.trials[0].loss == found.trials[1].loss


@pytest.mark.parametrize(("fewest", "folds"), [(1, 2), (2, 2), (4, 4), (9, 5)])
def test_folds_follow_from_the_patients_of_the_smallest_class(fewest, folds):
    labels = np.array([0] * 40 + [1] * 2 * fewest)
    vectors = np.random.default_rng(0).normal(size=(len(labels), 3))
    found = selection.select([Candidate(64, "a")], lambda _, rows: vectors[rows], _examples(labels), (1.0, 0.1))
    assert len(np.unique(found.fold)) == folds and np.isfinite(found.logits).all()


def test_large_datasets_are_compared_on_whole_patients(monkeypatch):
    monkeypatch.setattr(selection, "MOST", 40)
    vectors, labels = _blobs(120, 3)
    patients = [f"p{k // 3}" for k in range(120)]
    found = selection.select([Candidate(64, "a")], lambda _, rows: vectors[rows], _examples(labels, patients=patients))
    kept = found.examples.patients
    assert 30 <= len(kept) <= 45 and all(kept.count(name) == 3 for name in set(kept))
    assert set(found.examples.labels) == {0, 1, 2}


def test_copies_of_held_out_images_are_not_trained_on():
    """Labels are drawn at random and copies equal their images: trained on, they would tell the label."""
    vectors = np.random.default_rng(0).normal(size=(60, 200)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 3, 60)
    copied = np.concatenate([vectors, vectors])
    alone, found = (
        selection.select([Candidate(64, "a")], lambda _, rows: copied[rows], _examples(labels, copies), (0.001,))
        for copies in (0, 1)
    )
    assert found.trials[0].accuracy.value < 0.5
    # Every image twice is the same problem as every image once.
    np.testing.assert_allclose(found.logits, alone.logits, atol=0.02)


def test_calibration_can_be_off():
    vectors, labels = _blobs(60, 6)
    on, off = (
        selection.select([Candidate(64, "a")], lambda _, rows: vectors[rows], _examples(labels), calibrate=each)
        for each in (True, False)
    )
    assert off.temperature == 1 and on.temperature != 1 and on.l2 == off.l2


def test_features_that_are_not_finite_are_an_error():
    vectors, labels = _blobs(24, 4)
    vectors[3, 1] = np.nan
    with pytest.raises(UserError, match="The features of block9 have values that are no finite numbers"):
        selection.select([Candidate(64, "block9")], lambda _, rows: vectors[rows], _examples(labels))


def test_two_choices_are_equal_and_fifty_classes_are_possible():
    vectors, labels = _blobs(200, 5, classes=50)
    one, two = (
        selection.select([Candidate(64, "a")], lambda _, rows: vectors[rows], _examples(labels), (0.1, 0.01))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.logits, two.logits)
    assert one.logits.shape == (200, 50)


def test_curves_are_means_over_folds_and_end_at_the_optimum():
    vectors, labels = _blobs(60, 6)
    found = selection.select([Candidate(64, "a")], lambda _, rows: vectors[rows], _examples(labels))
    curves = list(selection.iterations(found, lambda _, rows: vectors[rows]))
    assert curves[0].loss == pytest.approx(np.log(3)) and curves[-1].loss < curves[0].loss
    # Folds of 12 images each: the mean over folds is that over images.
    assert curves[-1].held_out_loss == pytest.approx(selection.log_loss(found.logits, found.examples.labels), rel=0.02)
    constant = np.ones((60, 2))
    start, *_ = selection.iterations(
        selection.select([Candidate(64, "a")], lambda _, rows: constant[rows], _examples(labels), (1.0,)),
        lambda _, rows: constant[rows],
    )
    assert start.loss == pytest.approx(np.log(3), abs=1e-3)


def test_model_of_a_warm_start_is_kept_at_the_optimum():
    vectors, labels = _blobs(20, 40)
    inputs = Standardisation.of([vectors]).apply(vectors)
    problem = Problem([inputs], np.eye(3)[labels], np.ones(20))
    first, steps = problem.solve(0.1), []
    again = problem.solve(0.1, first, steps.append)
    assert len(steps) <= 2 and isinstance(again, LogisticModel)
    np.testing.assert_allclose(again.kernel, first.kernel, atol=1e-4)


def _ill_conditioned(images, features, seed=0):
    """Correlated features of very different scales, float32 (images, features), and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % 3
    values = rng.normal(size=(images, features)) * np.geomspace(1, 1e-3, features)
    values[np.arange(images), labels] += 1
    return (values @ rng.normal(size=(features, features))).astype(np.float32) + 100, labels


@pytest.mark.parametrize(("images", "features"), [(500, 30), (150, 200)])
def test_blocks_of_a_file_give_the_kernel_of_one_block_in_memory(images, features, monkeypatch):
    vectors, labels = _ill_conditioned(images, features)
    candidate, rows = Candidate(64, "a"), np.arange(images)
    examples = Examples(
        rows, labels, list(map(str, rows)), np.eye(3)[labels], 1 + labels / 2, np.empty((images, 0), int)
    )
    one = selection.fit(candidate, lambda _, chosen: vectors[chosen], examples, 1e-3)
    monkeypatch.setattr(kept_vectors, "_BLOCK_VALUES", 70 * features)
    monkeypatch.setattr(selection, "_AT_ONCE", 110)
    many = selection.fit(candidate, lambda _, chosen: vectors[chosen], examples, 1e-3, memory=0)
    for found, expected in (
        (many.model.kernel, one.model.kernel),
        (many.model.bias, one.model.bias),
        (many.standardisation.mean, one.standardisation.mean),
        (many.standardisation.scale, one.standardisation.scale),
    ):
        assert np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)
