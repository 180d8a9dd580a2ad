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
    return pd.DataFrame({"label": labels, "predicted": predicted} | columns)


def _drawn(temperature, n=6000, seed=0):
    """Labels drawn from softmax(z), probabilities reported as softmax(z temperature): that much too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    labels = [CLASSES[rng.choice(3, p=row)] for row in softmax(logits, axis=1)]
    return _table(softmax(logits * temperature, axis=1), labels)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    assert calibration.temperature(_drawn(temperature), CLASSES) == pytest.approx(temperature, rel=0.06)


def test_scaling_by_hand():
    """p = (0.8, 0.2) at T = 2: square roots, 0.894 and 0.447, so 2/3 and 1/3."""
    table = pd.DataFrame({"label": ["A"], "p_A": [0.8], "p_B": [0.2]})
    scaled = calibration.scaled(table, ["A", "B"], 2.0)
    assert scaled[["p_A", "p_B"]].to_numpy()[0] == pytest.approx([2 / 3, 1 / 3])


def test_it_cannot_be_told_where_all_are_right_or_none_are_there():
    right = _table([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], CLASSES)
    assert calibration.temperature(right, CLASSES) is None
    assert calibration.temperature(right.head(0), CLASSES) is None


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
