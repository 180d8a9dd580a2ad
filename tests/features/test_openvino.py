"""OpenVINO gives the maps that Keras gives."""

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.evaluation import saved_model
from cxrcore.features import backbones, openvino, weights
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import predict
from cxrcore.training import pipeline
from tests.conftest import SHARED

pytest.importorskip("openvino", reason="the extra openvino is not installed")


@pytest.fixture(autouse=True)
def allowed(home, monkeypatch):
    monkeypatch.setenv("CXR_OPENVINO", "1")


def _difference(key, kind, size, tap):
    """Return the largest difference to Keras's maps of five images, over the largest value.

    Five images are two whole passes and one that is padded.
    """
    backbone = backbones.get(key)
    found = weights.resolve(backbone, kind)
    model = FeatureKey(key, found.digest, size, backbone.preprocessing, tap).build(found)
    pixels = np.random.default_rng(0).integers(0, 256, (5, size, size, 3)).astype(np.uint8)
    expected, maps = predict(model, pixels), predict(openvino.Compiled(model), pixels)
    assert maps.shape == expected.shape and maps.dtype == np.float32
    return np.abs(maps - expected).max() / np.abs(expected).max()


def test_maps_match_keras():
    assert _difference("densenet121", "random", 64, "conv3_block12_concat") < 1e-4


@pytest.mark.nightly
@pytest.mark.shared
@pytest.mark.parametrize(("key", "tap"), [("xception", "block14_sepconv2_act"), ("vgg16", "block4_pool")])
def test_maps_match_keras_with_real_weights(key, tap, monkeypatch):
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(SHARED / "weights"))
    assert _difference(key, "imagenet", 96, tap) < 1e-4


@pytest.mark.nightly
def test_saved_model_of_a_run_gives_the_same_probabilities(phantom):
    config = run_config.make(
        dataset="phantom", backbone="mobilenetv2", weights="random", tap="block_5_add", size=64, epochs=3
    )
    run = pipeline.run(config, runs.create(config).folder)
    again, _ = saved_model.evaluate(run)
    assert np.abs(again["p_COVID"].to_numpy() - run.predictions("test")["p_COVID"].to_numpy()).max() < 1e-4
