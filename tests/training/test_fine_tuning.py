"""Fine-tuning of the backbone after a cut, and augmented copies."""

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.audits.masked_probe import MaskedFeatures
from cxrcore.config import run_config
from cxrcore.evaluation import saved_model
from cxrcore.features.keras_setup import keras
from cxrcore.inference.saved_model import load
from cxrcore.training import pipeline, resampling

FAST = {"dataset": "phantom", "size": 64, "head": "gap", "epochs": 5, "early_stopping": 0, "keep": "last"}


def _config(**values):
    return run_config.make(**(FAST | values))


def _run(**values):
    config = _config(**values)
    return pipeline.run(config, runs.create(config).folder)


def _backbone(run):
    return load(run).get_layer("features").get_layer("backbone")


def _losses(run):
    return [epoch.loss for epoch in run.epochs]


def test_fine_tuning_trains_the_layers_after_the_cut_alone(phantom):
    frozen = _run(dropout=0.0)
    tuned = _run(dropout=0.0, tune={"epochs": 8, "learning_rate": 3e-3})
    assert [run.model_file.name for run in (frozen, tuned)] == ["head.keras", "model.keras"]
    assert [epoch.phase for epoch in tuned.epochs] == ["head"] * 5 + ["tuning"] * 8
    assert [epoch.epoch for epoch in tuned.epochs] == list(range(1, 14)) and tuned.events == []
    assert tuned.epochs[4].loss == pytest.approx(frozen.epochs[4].loss, rel=1e-4), "the same head first"
    assert tuned.epochs[-1].loss < 0.9 * tuned.epochs[4].loss
    again, _ = saved_model.evaluate(tuned)
    stored = tuned.predictions("test")
    for name in ("p_COVID", "p_NORMAL"):
        assert np.abs(again[name].to_numpy() - stored[name].to_numpy()).max() < 1e-4
    after, before = _backbone(tuned), _backbone(frozen)
    cut = [layer.name for layer in before.layers].index("block4c_out")
    for position, (one, other) in enumerate(zip(after.layers, before.layers, strict=True)):
        equal = all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
        assert equal or position > cut, one.name
        if isinstance(one, keras.layers.BatchNormalization):
            np.testing.assert_array_equal(one.moving_mean, other.moving_mean)
    assert any(not np.array_equal(a, b) for a, b in zip(after.get_weights(), before.get_weights(), strict=True))

    # An audit uses the backbone with its original weights: the tuned one was trained with the labels.
    features = [MaskedFeatures(run).extract(tuned.table.iloc[:10], "", "features") for run in (frozen, tuned)]
    np.testing.assert_array_equal(*features)
    # The next run in this process has the original weights, too.
    assert _losses(_run(dropout=0.0)) == _losses(frozen)


def test_each_repeat_is_tuned_from_the_original_weights(phantom, monkeypatch):
    """Two repeats on the same split agree, which they would not if the second began where the first ended."""
    config = _config(tune={"epochs": 3, "learning_rate": 1e-2}, resampling={"repeats": 2})
    first = resampling.splits(config, phantom.usable)[0]
    monkeypatch.setattr(resampling, "splits", lambda config, table: [first, first])
    table = pipeline.run(config, runs.create(config).folder).read_table("resampling.parquet")
    one, two = (table[table["number"] == number].reset_index(drop=True) for number in (1, 2))
    np.testing.assert_allclose(one["p_COVID"], two["p_COVID"], atol=1e-5)


def test_stopped_fine_tuning_is_continued(phantom):
    config = _config(tune={"epochs": 6, "learning_rate": 1e-3})
    whole = pipeline.run(config, runs.create(config).folder)
    run = runs.create(config)

    def progress(stage, done, total):
        if stage == "training" and done == 8:
            (run.folder / "stop").touch()

    pipeline.run(config, run.folder, progress)
    assert len(run.epochs) == 8
    (run.folder / "stop").unlink()
    pipeline.run(config, run.folder)
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, 12))
    np.testing.assert_allclose(_losses(run), _losses(whole), rtol=1e-4)


def test_augmented_copies_are_kept_and_trained_on(phantom, home):
    run = _run(augment={"views": 2})
    assert len(list((home / "features").glob("[!.]*"))) == 3
    times = [path.stat().st_mtime_ns for path in (home / "features").rglob("*.npy")]
    other = _run(augment={"views": 2}, learning_rate=1e-3)
    assert [path.stat().st_mtime_ns for path in (home / "features").rglob("*.npy")] == times, "computed once"
    assert _losses(other)[0] != _losses(run)[0] and _losses(_run())[-1] != _losses(run)[-1]
    assert run.results.n_test == 12
    assert len(run.predictions("validation")) == (run.table["split"] == "validation").sum()
    assert len(run.table) == 60
