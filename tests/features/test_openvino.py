"""OpenVINO gives what Keras gives, and its activations are kept apart."""

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.features import backbones, openvino, weights
from cxrcore.features.config import FeatureSpec
from cxrcore.features.predict import forward
from cxrcore.training import training_data
from tests.conftest import SHARED

pytest.importorskip("openvino", reason="the extra openvino is not installed")


@pytest.fixture(autouse=True)
def wanted(home, monkeypatch):
    monkeypatch.setenv("CXR_OPENVINO", "1")


def _apart(key, kind, size, tap=""):
    backbone = backbones.get(key)
    found = weights.resolve(backbone, kind)
    spec = FeatureSpec(key, found.digest, size, backbone.preprocessing, tap or backbone.taps[-1])
    model = spec.build(found)
    pixels = np.random.default_rng(0).integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    theirs = forward(model, pixels)
    ours = forward(openvino.Compiled(model), pixels)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize("key", ["mobilenetv2", "densenet121"])
def test_its_maps_are_kerass(key):
    assert _apart(key, "random", 96) < 1e-4


@pytest.mark.shared
@pytest.mark.parametrize(("key", "tap"), [("xception", ""), ("vgg16", "block4_pool"), ("mobilenetv2", "")])
def test_its_maps_are_kerass_with_real_weights(key, tap, monkeypatch):
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(SHARED / "weights"))
    assert _apart(key, "imagenet", 128, tap) < 1e-4


def test_a_short_batch_gives_as_many_maps_as_images():
    found = weights.resolve(backbones.get("mobilenetv2"), "random")
    model = FeatureSpec("mobilenetv2", found.digest, 64, "unit", "block_5_add").build(found)
    compiled = openvino.Compiled(model)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
    np.testing.assert_allclose(forward(compiled, pixels), forward(model, pixels), atol=1e-4)


def test_keys_are_apart_and_cxrtiny_is_kerass(monkeypatch):
    made = run_config.make(dataset="d", backbone="mobilenetv2", weights="random")
    fast = training_data.spec_of(made, "w")
    monkeypatch.setenv("CXR_OPENVINO", "0")
    assert fast.engine == "openvino" and fast.key != training_data.spec_of(made, "w").key
    monkeypatch.setenv("CXR_OPENVINO", "1")
    assert training_data.spec_of(run_config.make(dataset="d"), "w").engine == ""


def test_a_run_uses_it_and_its_saved_model_gives_the_same_answers(phantom):
    from cxrcore import runs
    from cxrcore.inference import predict
    from cxrcore.training import pipeline

    made = run_config.make(dataset="phantom", backbone="mobilenetv2", weights="random", size=64, epochs=3)
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    again, _ = predict.evaluate(run)
    assert np.abs(again["p_COVID"].to_numpy() - run.predictions("test")["p_COVID"].to_numpy()).max() < 1e-4
