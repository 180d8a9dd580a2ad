"""The learning curve on features drawn here, and the command that computes it."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cxrcore.audits import learning_curve
from cxrcore.audits.learning_curve import measure
from cxrcore.audits.masked_probe import MaskedFeatures
from cxrcore.cli import app
from cxrcore.evaluation import intervals


def _images(patients, noise, seed=0):
    """Return features with the class in one of 20 columns, and two images of each of `patients` patients by class."""
    rng = np.random.default_rng(seed)
    rows = [(label, f"{label}{k}") for label in "ab" for k in range(patients) for _ in range(2)]
    table = pd.DataFrame(rows, columns=["label", "patient"])
    number = table["patient"].str[1:].astype(int)
    table["split"] = np.where(number % 4 == 3, "test", "train")
    vectors = rng.normal(size=(len(table), 20)) * noise
    vectors[:, 0] += np.where(table["label"] == "a", -1, 1)
    return vectors, table


def test_points_count_the_patients_of_each_share():
    """30 training patients of each class: 3, 6, 15 and 30 of each, with two images."""
    found = measure(*_images(40, 1.0))
    assert [point.patients for point in found.points] == [6, 12, 30, 60]
    assert [point.images for point in found.points] == [12, 24, 60, 120]
    assert (found.test_images, found.test_patients) == (40, 20)
    assert all(point.accuracy.low < point.accuracy.value < point.accuracy.high for point in found.points)
    assert found.points[-1].accuracy.value > found.points[0].accuracy.value
    before = found.points[-2].accuracy.value
    assert found.gain.value == pytest.approx(found.points[-1].accuracy.value - before)


def test_no_noise_is_all_correct_with_the_interval_of_the_test_patients():
    found = measure(*_images(8, 0.0))
    assert [point.patients for point in found.points] == [2, 6, 12], "10 and 20 % are one patient of each class"
    assert {point.accuracy.value for point in found.points} == {1.0}
    assert found.points[0].accuracy.low == intervals.wilson(4, 4)[0]
    assert found.gain.value == 0 and not found.gain.has_interval


def test_test_patients_are_not_trained_on(monkeypatch):
    seen = []
    vectors, table = _images(8, 1.0)
    monkeypatch.setattr(
        learning_curve, "_predicted", lambda vectors, labels, train, test: seen.append(train) or labels[test]
    )
    measure(vectors, table)
    assert len(seen) == 31 and all(set(table["split"].iloc[rows]) == {"train"} for rows in seen)


def test_command_keeps_the_curve_with_the_run(made, monkeypatch):
    run, (vectors, table) = made[2], _images(10, 1.0)
    run.write_table("table.parquet", table)
    monkeypatch.setattr(MaskedFeatures, "__init__", lambda self, run, progress: None)
    monkeypatch.setattr(MaskedFeatures, "extract", lambda self, table, transform, stage: vectors)
    result = CliRunner().invoke(app, ["learning-curve", run.name, "--json"], catch_exceptions=False)
    value = json.loads(result.stdout.splitlines()[-1])
    assert value["points"] == learning_curve.load(run).plain()["points"]
    assert value["sample_size"]["accuracy"] == 196, "test patients for 17 of 20 within 5 points"
    text = CliRunner().invoke(app, ["learning-curve", run.name]).stdout
    assert "16 training patients" in text and "196 test patients" in text
