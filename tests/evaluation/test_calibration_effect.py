"""Expected calibration error and Brier score before and after a temperature."""

import pandas as pd
import pytest

from cxrcore.evaluation import calibration
from cxrcore.evaluation.metrics import probability_columns


def test_effect_of_a_temperature_of_two():
    """Five images at 80 %, four of them correct: calibrated. Before it, 0.8^2 / (0.8^2 + 0.2^2) = 16 / 17."""
    a, b = probability_columns(["a", "b"])
    table = pd.DataFrame({"label": ["a"] * 4 + ["b"], "patient": list("12345"), a: 0.8, b: 0.2})
    found = calibration.effect(table, ["a", "b"], 2.0)
    assert found.ece.value == pytest.approx(0) and found.ece_before.value == pytest.approx(16 / 17 - 0.8)
    assert found.brier.value == pytest.approx((4 * 2 * 0.2**2 + 2 * 0.8**2) / 5)
    assert found.brier_before.value == pytest.approx((4 * 2 / 17**2 + 2 * (16 / 17) ** 2) / 5)
    assert found.ece.low is not None and found.temperature == 2.0
