"""The saved head, the model assembled from it, and the weights that it needs."""

import shutil

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import DamagedFileError, UserError
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.keras_setup import keras
from cxrcore.features.key import FeatureKey
from cxrcore.inference import saved_model
from cxrcore.training import pipeline

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.float32)


def _use_weights_file(run, path):
    values = run.config.plain() | {"weights": "file", "weights_file": str(path)}
    run_config.validated(values).write(run.folder / "config.json")


def test_run_keeps_its_head_alone_and_is_small(trained):
    assert trained.model_file == trained.folder / "head.keras" and not (trained.folder / "model.keras").exists()
    assert sum(path.stat().st_size for path in trained.folder.rglob("*")) < 1_000_000
    features = saved_model.load(trained).get_layer("features")
    assert features is saved_model.load(trained).get_layer("features"), "built once"
    head = saved_model.load_head(trained)
    found = np.asarray(head(features(PIXELS)))
    np.testing.assert_array_equal(found, np.asarray(saved_model.load(trained)(PIXELS)))


def test_exported_model_equals_the_assembled_one_and_replaces_the_head(trained, tmp_path):
    assembled = np.asarray(saved_model.load(trained)(PIXELS))
    file = tmp_path / "exported.keras"
    file.write_bytes(saved_model.export(trained))
    np.testing.assert_array_equal(np.asarray(keras.models.load_model(file)(PIXELS)), assembled)
    # A run of an earlier version holds such a file, and needs no weights beside it.
    trained.model_file.unlink()
    shutil.copy(file, trained.folder / "model.keras")
    _use_weights_file(trained, "/nowhere.weights.h5")
    assert trained.model_file.name == "model.keras" and saved_model.has_model(trained)
    np.testing.assert_array_equal(np.asarray(saved_model.load(trained)(PIXELS)), assembled)
    maps = saved_model.load(trained).get_layer("features")(PIXELS)
    np.testing.assert_array_equal(np.asarray(saved_model.load_head(trained)(maps)), assembled)
    assert saved_model.export(trained) == file.read_bytes()


def test_copy_is_not_shared(trained):
    changed = saved_model.load(trained, copy=True)
    before = np.asarray(saved_model.load(trained)(PIXELS))
    for layer in changed.get_layer("features").get_layer("backbone").layers:
        layer.set_weights([value * 0 for value in layer.get_weights()])
    np.testing.assert_array_equal(np.asarray(saved_model.load(trained)(PIXELS)), before)
    assert np.abs(np.asarray(changed(PIXELS)) - before).max() > 0.01


def test_missing_weights_raise(trained):
    _use_weights_file(trained, "/nowhere.weights.h5")
    digest = trained.info.weights_digest[:12]
    with pytest.raises(UserError, match=rf"weights of CXRTiny .*SHA-256 {digest}.*no file /nowhere.weights.h5"):
        saved_model.load(trained)
    assert saved_model.load_head(trained).output_shape == (None, 3), "needs no weights"


def test_other_weights_raise(trained, tmp_path):
    file = tmp_path / "other.weights.h5"
    file.write_bytes(BUNDLED_WEIGHTS.read_bytes() + b"x")  # loads as before, but is another file
    _use_weights_file(trained, file)
    with pytest.raises(UserError, match=rf"expected the SHA-256 {trained.info.weights_digest[:12]}.*other.weights.h5"):
        saved_model.export(trained)
    file.write_bytes(BUNDLED_WEIGHTS.read_bytes())
    assert saved_model.load(trained).input_shape == (None, 64, 64, 3)


def test_damaged_head_raises(trained):
    trained.model_file.write_bytes(trained.model_file.read_bytes()[:1000])
    for load in (saved_model.load, saved_model.load_head, saved_model.export):
        with pytest.raises(DamagedFileError, match=r"head\.keras is damaged"):
            load(trained)


def test_run_without_model(made):
    run = made[2]
    assert saved_model.has_model(run) and saved_model.stamp(run) == run.model_file.stat().st_mtime
    run.model_file.unlink()
    assert not saved_model.has_model(run)
    with pytest.raises(UserError, match="has no model"):
        saved_model.stamp(run)


def test_backbone_is_built_only_where_features_are_missing(trained, monkeypatch):
    built = []
    build = FeatureKey.build
    monkeypatch.setattr(FeatureKey, "build", lambda key, weights: built.append(key) or build(key, weights))
    saved_model.shared_features.cache_clear()
    config = trained.config.model_copy(update={"epochs": 1})
    again = pipeline.run(config, runs.create(config).folder)
    assert again.results.n_test == 12 and built == []
    random = run_config.make(dataset="phantom", size=64, head="gap", epochs=1, weights="random")
    run = pipeline.run(random, runs.create(random).folder)
    assert [key.weights for key in built] == ["random-0"] and run.model_file.name == "model.keras", "not reproducible"


def test_continued_run_of_an_earlier_version_keeps_no_second_model(trained):
    (trained.folder / "model.keras").touch()
    saved_model.save(trained, lambda: None, saved_model.load_head(trained))
    assert sorted(path.name for path in trained.folder.glob("*.keras")) == ["head.keras"]
