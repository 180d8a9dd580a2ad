import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from cxrcore.evaluation import calibration
from cxrcore.metric import Metric

CLASSES = ["A", "B", "C"]


def _table(probabilities, labels):
    columns = dict(zip((f"p_{name}" for name in CLASSES), np.asarray(probabilities).T, strict=True))
    predicted = np.asarray(CLASSES)[np.argmax(probabilities, axis=1)]
    table = pd.DataFrame({"label": labels, "predicted": predicted} | columns)
    return table.assign(correct=table["label"] == table["predicted"], patient=[f"p{k}" for k in range(len(table))])


def _drawn(temperature, n=6000, seed=0):
    """Labels drawn from softmax(z), probabilities softmax(z temperature): over-confident by that temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    labels = [CLASSES[rng.choice(3, p=row)] for row in softmax(logits, axis=1)]
    return _table(softmax(logits * temperature, axis=1), labels)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_fitted_temperature_is_the_simulated_one(temperature):
    fitted = calibration.fit_temperature(_drawn(temperature), CLASSES)
    assert fitted.value == pytest.approx(temperature, rel=0.06)
    assert fitted.low < temperature < fitted.high and fitted.high - fitted.low < 0.2 * temperature


def test_interval_is_wide_with_few_images_and_covers_the_true_temperature():
    """Of 40 sets of 30 images from a calibrated model, the interval of T holds 1 in nearly all, and is wide."""
    fitted = [calibration.fit_temperature(_drawn(1.0, n=30, seed=seed), CLASSES) for seed in range(40)]
    bounds = [(metric.low, metric.high) for metric in fitted if metric.value]
    assert np.mean([low <= 1 <= high for low, high in bounds]) > 0.85
    assert np.mean([high - low for low, high in bounds]) > 0.4


def test_scaling_by_hand():
    """p = (0.8, 0.2) at T = 2: square roots, 0.894 and 0.447, so 2/3 and 1/3."""
    table = pd.DataFrame({"label": ["A"], "p_A": [0.8], "p_B": [0.2]})
    scaled = calibration.scaled(table, ["A", "B"], 2.0)
    assert scaled[["p_A", "p_B"]].to_numpy()[0] == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize("confidence", [0.7, 0.9, 0.9999, 1.0])
def test_no_temperature_where_all_are_correct(confidence):
    correct = _table(np.full((3, 3), (1 - confidence) / 2) + np.eye(3) * (1.5 * confidence - 0.5), CLASSES)
    assert calibration.fit_temperature(correct, CLASSES) == Metric(None, n=3)


def test_no_temperature_without_images_or_where_all_are_wrong():
    wrong = _table([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], ["B", "C", "A"])
    assert calibration.fit_temperature(wrong, CLASSES).value is None
    assert calibration.fit_temperature(wrong.head(0), CLASSES).value is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 3).filter(lambda p: sum(p) > 0.1), min_size=1, max_size=8),
    st.floats(0.05, 20),
)
def test_scaling_keeps_the_predicted_class_and_the_sum_of_one(rows, temperature):
    probabilities = np.asarray(rows) / np.sum(rows, axis=1, keepdims=True)
    table = _table(probabilities, ["A"] * len(rows))
    scaled = calibration.scaled(table, CLASSES, temperature)[[f"p_{name}" for name in CLASSES]].to_numpy()
    assert scaled.sum(axis=1) == pytest.approx(1)
    best = np.take_along_axis(scaled, probabilities.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert (best >= scaled.max(axis=1) - 1e-12).all()


def test_no_temperature_where_the_lowest_is_best():
    """A tie loses log 2 at any temperature; of the correct images the loss only falls with it."""
    table = _table([[0.6, 0.4, 0.0]] * 3 + [[0.5, 0.5, 0.0]], ["A", "A", "A", "B"])
    assert calibration.fit_temperature(table, CLASSES) == Metric(None, n=4)


def test_temperature_of_many_images_is_that_of_a_random_sample(monkeypatch):
    monkeypatch.setattr(calibration, "MOST", 2000)
    table = _drawn(1.0).sort_values("correct")  # the first 2,000 are wrong
    fitted = calibration.fit_temperature(table, CLASSES)
    assert fitted.n == 2000 and fitted.value == pytest.approx(1, rel=0.15)
