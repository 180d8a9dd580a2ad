"""The suggestion of a tap: what it measures, and that it never looks at test images."""

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.features import extract
from cxrcore.training import tap_selection


def _suggest(**values):
    said = []
    made = run_config.make(dataset="phantom", size=64, **values)
    return tap_selection.suggest(made, lambda *step: said.append(step)), said


def test_every_tap_is_measured_once_and_test_images_stay_unseen(phantom, monkeypatch):
    seen = []
    batches = extract.batches
    monkeypatch.setattr(
        extract, "batches", lambda paths, *rest: [seen.append(str(path)) for path in paths] and batches(paths, *rest)
    )
    found, said = _suggest()
    assert found["taps"][0]["tap"] == "block3a_out" and len(found["taps"]) == 6
    assert found["taps"][0]["map"] == [16, 16, 48] and found["taps"][2]["map"] == [8, 8, 96]
    assert all(row["n"] == 48 and row["milliseconds"] > 0 for row in found["taps"])
    from cxrcore.training import resampling

    parts = resampling.splits(run_config.make(dataset="phantom", size=64), phantom.usable)[0]
    tests = set(phantom.usable["path"][parts == "test"].astype(str))
    assert len(seen) == 48 and not tests & set(seen)
    again, said = _suggest()
    assert len(seen) == 48 and "features" not in {stage for stage, *_ in said}, "kept for the next time"
    assert [row["accuracy"] for row in again["taps"]] == [row["accuracy"] for row in found["taps"]]


def test_the_pooled_maps_are_those_of_a_run(phantom):
    from cxrcore.features import backbones, weights
    from cxrcore.features.store import Store
    from cxrcore.training import training_data

    _suggest()
    made = run_config.make(dataset="phantom", size=64, tap="block4a_out")
    found = weights.resolve(backbones.get("cxrtiny"), "bundled")
    spec = training_data.spec_of(made, found.digest)
    table = phantom.usable
    maps = extract.activations(table, spec, lambda: spec.build(found)).rows(range(len(table)))
    pooled = Store(type(spec)(**(vars(spec) | {"pooled": True})))
    kept = [value for value in table["sha256"] if value not in pooled.missing(table["sha256"])]
    vectors = pooled.read(kept).rows(range(len(kept)))
    np.testing.assert_allclose(
        vectors[:, 0, 0], maps[table["sha256"].isin(kept).to_numpy()].mean(axis=(1, 2)), atol=1e-4
    )


def test_the_cheapest_within_a_standard_error_of_the_best_is_suggested():
    """The best has 0.96 of 100, so a standard error of 0.0196: 0.945 is within, 0.94 is not."""
    rows = [
        {"tap": "a", "accuracy": 0.94, "n": 100, "milliseconds": 1},
        {"tap": "b", "accuracy": 0.945, "n": 100, "milliseconds": 2},
        {"tap": "c", "accuracy": 0.96, "n": 100, "milliseconds": 3},
        {"tap": "d", "accuracy": 0.95, "n": 100, "milliseconds": 1.5},
    ]
    assert tap_selection._choose(rows) == "d"
    assert tap_selection._choose(rows[:3]) == "b"


def test_a_large_dataset_is_sampled_by_patient(phantom, monkeypatch):
    monkeypatch.setattr(tap_selection, "MOST", 20)
    table = tap_selection._sample(phantom.usable, 0)
    assert len(table) <= 20 and set(table["label"]) == set(phantom.usable["label"])
    whole = phantom.usable[phantom.usable["patient"].isin(table["patient"])]
    assert len(whole) == len(table) or len(table) == pytest.approx(20)
