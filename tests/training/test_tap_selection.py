"""The suggestion of a tap: what it measures, and that it never uses test images."""

from dataclasses import replace

import numpy as np
import pytest

from cxrcore import settings
from cxrcore.config import run_config
from cxrcore.evaluation.linear_probe import ProbeResult
from cxrcore.features import extract
from cxrcore.features.store import Store
from cxrcore.metric import Metric
from cxrcore.training import resampling, tap_selection
from cxrcore.training.tap_selection import TapResult


def _suggest(**values):
    reports = []
    config = run_config.make(dataset="phantom", size=64, **values)
    return tap_selection.suggest(config, lambda *report: reports.append(report)), reports


def test_every_tap_is_measured_once_on_images_outside_the_test_set(phantom, monkeypatch):
    decoded, batches = [], extract.batches

    def recorded(paths, *rest):
        decoded.extend(str(path) for path in paths)
        return batches(paths, *rest)

    monkeypatch.setattr(extract, "batches", recorded)
    found, reports = _suggest()
    assert [result.tap for result in found.taps] == [
        "block3a_out",
        "block3b_out",
        "block4a_out",
        "block4b_out",
        "block4c_out",
        "block5_out",
    ]
    assert found.taps[0].map_shape == (16, 16, 48) and found.taps[2].map_shape == (8, 8, 96)
    assert all(result.accuracy.n == 48 and result.milliseconds > 0 for result in found.taps)
    assert found.suggested in {result.tap for result in found.taps}
    assert list(dict.fromkeys(stage for stage, *_ in reports)) == list(tap_selection.STAGES)
    parts = resampling.splits(run_config.make(dataset="phantom", size=64), phantom.usable)[0]
    tested = set(phantom.usable["path"][parts == "test"].astype(str))
    assert len(decoded) == 48 and not tested & set(decoded)
    again, reports = _suggest()
    assert len(decoded) == 48 and "features" not in {stage for stage, *_ in reports}, "kept for the next time"
    assert [result.accuracy for result in again.taps] == [result.accuracy for result in found.taps]


def test_suggestion_where_the_cache_is_smaller_than_its_activations(phantom, monkeypatch):
    """The activations of each tap are needed until all are probed, so none is deleted."""
    monkeypatch.setenv("CXR_CACHE_GB", "0.000001")
    found, _ = _suggest()
    assert len(found.taps) == 6 and len(list(settings.features_folder().glob("cxrtiny-*"))) == 6


def test_kept_maps_are_the_means_of_those_of_a_run(phantom):
    _suggest()
    config = run_config.make(dataset="phantom", size=64, tap="block4a_out")
    weights = config.resolve()
    key = config.key(weights.digest)
    table = phantom.usable
    maps = extract.activations(table, key, lambda: key.build(weights)).rows(range(len(table)))
    store = Store(replace(key, pooled=True))
    kept = table["sha256"].isin(set(table["sha256"]) - set(store.missing(table["sha256"]))).to_numpy()
    vectors = store.read(list(table["sha256"][kept])).rows(range(kept.sum()))
    assert kept.sum() == 48
    np.testing.assert_allclose(vectors[:, 0, 0], maps[kept].mean(axis=(1, 2)), atol=1e-4)


def _result(tap, accuracy, milliseconds, standard_error=0.02):
    metric = Metric(accuracy, n=100)
    return TapResult(tap, (4, 4, 8), milliseconds, metric), ProbeResult(metric, standard_error)


def test_cheapest_tap_within_a_standard_error_of_the_best_is_suggested():
    """The best has 0.96 with a standard error of 0.02: 0.945 is within it, 0.93 is not."""
    results = [_result("a", 0.93, 1), _result("b", 0.945, 2), _result("c", 0.96, 3), _result("d", 0.95, 1.5)]
    taps, probes = zip(*results, strict=True)
    assert tap_selection.choose(list(taps), list(probes)) == "d"
    assert tap_selection.choose(list(taps[:3]), list(probes[:3])) == "b"
    exact = [_result("a", 0.95, 1), _result("b", 0.96, 2, standard_error=0.0)]
    taps, probes = zip(*exact, strict=True)
    assert tap_selection.choose(list(taps), list(probes)) == "b"


def test_large_dataset_is_sampled_by_patient(phantom, monkeypatch):
    monkeypatch.setattr(tap_selection, "MOST", 20)
    table = tap_selection._sample(phantom.usable, 0)
    assert len(table) <= 20 and set(table["label"]) == set(phantom.usable["label"])
    whole = phantom.usable[phantom.usable["patient"].isin(table["patient"])]
    assert len(whole) == len(table) or len(table) == pytest.approx(20)
