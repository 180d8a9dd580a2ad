"""Expected calibration error and Brier score before and after a temperature."""

import pandas as pd
import pytest

from cxrcore.evaluation import calibration
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.runs.models import Selection
from cxrcore.runs.run import SELECTION


def test_effect_of_a_temperature_of_two():
    """Five images at 80 %, four of them correct: calibrated. Before it, 0.8^2 / (0.8^2 + 0.2^2) = 16 / 17."""
    a, b = probability_columns(["a", "b"])
    table = pd.DataFrame({"label": ["a"] * 4 + ["b"], "patient": list("12345"), a: 0.8, b: 0.2})
    found = calibration.effect(table, ["a", "b"], 2.0)
    assert found.ece.value == pytest.approx(0) and found.ece_before.value == pytest.approx(16 / 17 - 0.8)
    assert found.brier.value == pytest.approx((4 * 2 * 0.2**2 + 2 * 0.8**2) / 5)
    assert found.brier_before.value == pytest.approx((4 * 2 / 17**2 + 2 * (16 / 17) ** 2) / 5)
    assert found.ece.low is not None and found.temperature == 2.0


def test_effect_of_a_run_is_that_of_its_temperature_on_its_test_images(made):
    """20 images at 80 %, 17 of them correct."""
    run = made[2]
    assert calibration.of_run(run) is None, "no head that was selected"
    chosen = Selection(trials=[], size=64, tap="t", l2=1.0, temperature=2.0, folds=5, images=20, seconds=1.0)
    chosen.write(run.folder / SELECTION)
    found = calibration.of_run(run)
    assert found.temperature == 2 and found.ece.value == pytest.approx(0.85 - 0.8) and found.ece.n == 20
    assert found.ece_before.value == pytest.approx(16 / 17 - 0.85)
    (run.folder / "metrics.json").unlink()
    assert calibration.of_run(run) is None
