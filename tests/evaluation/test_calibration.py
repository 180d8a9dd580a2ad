import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from cxrcore.evaluation import calibration

CLASSES = ["A", "B", "C"]


def _table(probabilities, labels):
    columns = dict(zip((f"p_{name}" for name in CLASSES), np.asarray(probabilities).T, strict=True))
    predicted = np.asarray(CLASSES)[np.argmax(probabilities, axis=1)]
    table = pd.DataFrame({"label": labels, "predicted": predicted} | columns)
    return table.assign(correct=table["label"] == table["predicted"], patient=[f"p{k}" for k in range(len(table))])


def _drawn(temperature, n=6000, seed=0):
    """Labels drawn from softmax(z), probabilities reported as softmax(z temperature): that much too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    labels = [CLASSES[rng.choice(3, p=row)] for row in softmax(logits, axis=1)]
    return _table(softmax(logits * temperature, axis=1), labels)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    found = calibration.temperature(_drawn(temperature), CLASSES)
    assert found["value"] == pytest.approx(temperature, rel=0.06)
    low, high = found["ci95"]
    assert low < temperature < high and high - low < 0.2 * temperature


def test_a_few_images_say_little():
    """Of 40 sets of 30 images from a calibrated model, the interval of T holds 1 in nearly all, and is wide."""
    found = [calibration.temperature(_drawn(1.0, n=30, seed=seed), CLASSES) for seed in range(40)]
    bounds = [part["ci95"] for part in found if part["value"]]
    assert np.mean([low <= 1 <= high for low, high in bounds]) > 0.85
    assert np.mean([high - low for low, high in bounds]) > 0.4


def test_scaling_by_hand():
    """p = (0.8, 0.2) at T = 2: square roots, 0.894 and 0.447, so 2/3 and 1/3."""
    table = pd.DataFrame({"label": ["A"], "p_A": [0.8], "p_B": [0.2]})
    scaled = calibration.scaled(table, ["A", "B"], 2.0)
    assert scaled[["p_A", "p_B"]].to_numpy()[0] == pytest.approx([2 / 3, 1 / 3])


@pytest.mark.parametrize("sure", [0.7, 0.9, 0.9999, 1.0])
def test_it_cannot_be_told_where_all_are_right(sure):
    right = _table(np.full((3, 3), (1 - sure) / 2) + np.eye(3) * (sure - (1 - sure) / 2), CLASSES)
    assert calibration.temperature(right, CLASSES) == {"value": None, "ci95": [None, None], "n": 3}


def test_it_cannot_be_told_without_images_or_where_all_are_wrong():
    wrong = _table([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], ["B", "C", "A"])
    assert calibration.temperature(wrong, CLASSES)["value"] is None
    assert calibration.temperature(wrong.head(0), CLASSES)["value"] is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3).filter(lambda p: sum(p) > 0.1), min_size=1, max_size=8),
       st.floats(0.05, 20))  # fmt: skip
def test_no_answer_changes_and_probabilities_stay_probabilities(rows, temperature):
    probabilities = np.asarray(rows) / np.sum(rows, axis=1, keepdims=True)
    table = _table(probabilities, ["A"] * len(rows))
    scaled = calibration.scaled(table, CLASSES, temperature)[[f"p_{name}" for name in CLASSES]].to_numpy()
    assert scaled.sum(axis=1) == pytest.approx(1)
    best = np.take_along_axis(scaled, probabilities.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert (best >= scaled.max(axis=1) - 1e-12).all()
