"""The out-of-distribution detector."""

import numpy as np
import pytest

from cxrcore.errors import DamagedFileError
from cxrcore.inference import ood


def _directions(rng, n, towards=(1.0, 0.5, 0.2, 0.0, 0.0, 0.0), spread=0.1):
    """Vectors of any length about a direction, as features are: what counts is where they point."""
    return ((np.array(towards) + rng.normal(0, spread, (n, 6))) * rng.uniform(1, 5, (n, 1))).astype(np.float32)


def _fit(rng, n=200, test=200):
    return ood.fit(_directions(rng, n), np.arange(n) // 2, np.split(_directions(rng, test), 2))


def test_score_by_hand():
    """Mean (1, 0), one axis (0, 1) of variance 0.25 and ridge 0.25: the vector (0, 3) points to (0, 1), which is
    (-1, 1) away: 1 / 0.5 along the axis and 1 / 0.25 off it, so the root of 6.
    """
    found = ood.OutOfDistributionDetector(
        np.array([1.0, 0.0]), np.array([[0.0, 1.0]]), np.array([0.25]), ridge=0.25, limit=2.0
    )
    assert found.score(np.array([[0.0, 3.0]])) == pytest.approx([np.sqrt(6) / 2])
    assert found.score(np.array([[7.0, 0.0]])) == pytest.approx([0.0])  # the same direction, whatever the length


def test_alarm_rate_is_the_nominal_one_and_other_images_are_detected():
    rng, rates = np.random.default_rng(0), []
    for _ in range(30):
        found = _fit(rng)
        rates.append(found.alarms / found.tested)
        assert (found.score(_directions(rng, 50, towards=(0, 0, 0, 1.0, 1.0, 0))) > 1).all()
    assert np.mean(rates) == pytest.approx(ood.ALARM_RATE, abs=0.015)


def test_detector_is_the_same_after_loading(tmp_path):
    rng = np.random.default_rng(0)
    found, others = _fit(rng, 60, 30), _directions(rng, 20)
    found.save(tmp_path / "novelty.npz")
    again = ood.load(tmp_path / "novelty.npz")
    assert (again.score(others) == found.score(others)).all()
    assert again.alarms == found.alarms and again.tested == 30
    assert ood.load(tmp_path / "other.npz") is None


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_damaged_detector_raises(tmp_path, kept):
    path = tmp_path / "novelty.npz"
    _fit(np.random.default_rng(0), 60, 30).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedFileError):
        ood.load(path)


def test_threshold_is_by_patient():
    """Ten patients of 20 nearly equal images each: measured from their own the limit would be next to nothing."""
    rng = np.random.default_rng(0)
    people = _directions(rng, 10, spread=0.5)
    known = (people.repeat(20, axis=0) * rng.uniform(0.99, 1.01, (200, 6))).astype(np.float32)
    by_patient = ood.fit(known, np.arange(10).repeat(20), [known[:0]])
    by_image = ood.fit(known, np.arange(200), [known[:0]])
    assert by_patient.limit > 3 * by_image.limit


def test_no_detector_with_few_patients():
    rng = np.random.default_rng(0)
    assert ood.fit(_directions(rng, 40), np.arange(40) % 9, [_directions(rng, 5)]) is None
