import numpy as np
import pytest

from cxrcore.errors import UserError
from cxrcore.features import backbones, cxrtiny, preprocessing
from cxrcore.features.backbones import BACKBONES
from cxrcore.features.config import FeatureSpec
from cxrcore.features.weights import Weights


def test_the_tutorials_backbones_are_there():
    assert {"xception", "resnet50v2", "vgg16"} < set(BACKBONES)


@pytest.mark.parametrize("key", list(BACKBONES))
def test_every_tap_exists_and_maps_shrink_with_depth(key):
    backbone = BACKBONES[key]
    size = backbone.sizes[0]
    model = backbone.build(size)
    sides = [model.get_layer(tap).output.shape[1] for tap in backbone.taps]
    assert sides == sorted(sides, reverse=True)
    assert model.get_layer(backbone.taps[-1]).output.shape[1:] == model.output.shape[1:]


def test_an_unknown_backbone_is_named():
    with pytest.raises(UserError, match=r"backbone: expected one of .* Received: 'resnet9000'"):
        backbones.get("resnet9000")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("unit", [0.0, 51 / 255, 1.0]),
        ("minus_one_to_one", [-1.0, 51 / 127.5 - 1, 1.0]),
        ("torch", [-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
        ("caffe", [255 - 103.939, 51 - 116.779, 0 - 123.68]),
    ],
)
def test_preprocessing_by_hand(mode, expected):
    """Red 0, green 51, blue 255 go in."""
    from cxrcore.features.keras_setup import keras

    pixels = keras.Input((1, 1, 3))
    model = keras.Model(pixels, preprocessing.apply(pixels, mode))
    found = model.predict(np.array([[[[0, 51, 255]]]], np.float32), verbose=0)
    assert found.ravel() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("key", ["vgg16", "densenet121", "mobilenetv2", "xception"])
def test_native_preprocessing_is_keras_own(key):
    from cxrcore.features.keras_setup import keras

    module = {
        "vgg16": "vgg16",
        "densenet121": "densenet",
        "mobilenetv2": "mobilenet_v2",
        "xception": "xception",
    }
    x = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype(np.float32)
    expected = getattr(keras.applications, module[key]).preprocess_input(x.copy())
    pixels = keras.Input((4, 4, 3))
    model = keras.Model(pixels, preprocessing.apply(pixels, BACKBONES[key].preprocessing))
    assert model.predict(x, verbose=0) == pytest.approx(np.asarray(expected), abs=1e-4)


def test_the_spec_cuts_at_the_tap_and_is_frozen():
    spec = FeatureSpec("cxrtiny", "random-1", 64, "unit", "block3b_out")
    model = spec.build(Weights(None, "random-1", 1))
    assert model.output_shape == (None, 8, 8, 64)
    assert model.trainable_variables == []
    assert "block5_out" not in [layer.name for layer in model.get_layer("backbone").layers]


def test_random_weights_follow_their_seed():
    spec = FeatureSpec("cxrtiny", "random-1", 64, "unit", "block5_out")
    one, same, other = (spec.build(Weights(None, "", seed)).get_weights()[0] for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_keys_differ_with_everything_that_changes_features():
    base = FeatureSpec("cxrtiny", "a", 64, "unit", "block5_out")
    others = [
        FeatureSpec("vgg16", "a", 64, "unit", "block5_out"),
        FeatureSpec("cxrtiny", "b", 64, "unit", "block5_out"),
        FeatureSpec("cxrtiny", "a", 96, "unit", "block5_out"),
        FeatureSpec("cxrtiny", "a", 64, "torch", "block5_out"),
        FeatureSpec("cxrtiny", "a", 64, "unit", "block3b_out"),
    ]
    assert len({spec.key for spec in [base, *others]}) == 6
    assert FeatureSpec("cxrtiny", "a", 64, "unit", "block5_out").key == base.key


def test_the_bundled_weights_are_small():
    assert cxrtiny.BUNDLED_WEIGHTS.stat().st_size < 2_000_000
