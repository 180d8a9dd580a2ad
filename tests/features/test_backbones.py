"""The table of backbones: every row has its taps, its cuts and Keras's own preprocessing."""

import sys

import numpy as np
import pytest

from cxrcore.errors import UserError
from cxrcore.features import backbones, cxrtiny, graph, preprocessing
from cxrcore.features.augmentation import AugmentationRanges
from cxrcore.features.backbones import BACKBONES, Backbone
from cxrcore.features.keras_setup import keras
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights

# Of Keras's other networks that normalise their input, with their last layers before the first block.
OTHERS = {
    "convnexttiny": ("ConvNeXtTiny", "torch", True, "convnext_tiny_stem"),
    "mobilenetv3small": ("MobileNetV3Small", "minus_one_to_one", True, "conv"),
    "efficientnetb0": ("EfficientNetB0", "none", False, "stem_conv"),  # whose layers cannot be switched off
}


@pytest.fixture(scope="module", params=list(BACKBONES))
def row(request):
    """A row of the table, and its network with random weights at its smallest size."""
    backbone = BACKBONES[request.param]
    return backbone, backbone.build(backbone.sizes[0])


def _other(key):
    constructor, mode, normalises, tap = OTHERS[key]
    return Backbone(key, key, constructor, mode, 64, (32, 64), (tap,), 1, 1, "", ("", ""), normalises_itself=normalises)


def _keras_module(backbone):
    """Return Keras's module of a network, which holds its `preprocess_input`."""
    return sys.modules[getattr(keras.applications, backbone.constructor).__module__]


def _pixels(size):
    return np.random.default_rng(0).integers(0, 256, (1, size, size, 3)).astype(np.float32)


def _maps_of_keras(backbone, ours, tap, pixels):
    """Return the maps at `tap` that Keras's network gives with its own preprocessing and the weights of `ours`."""
    constructor = getattr(keras.applications, backbone.constructor)
    network = constructor(weights=None, include_top=False, input_shape=pixels.shape[1:])
    with_weights = [layer for layer in ours.layers if layer.get_weights()]
    for layer in with_weights:
        if not isinstance(layer, keras.layers.Normalization):  # which has constants, and a name of its own
            network.get_layer(layer.name).set_weights(layer.get_weights())
    cut = keras.Model(network.input, network.get_layer(tap).output)
    return cut(_keras_module(backbone).preprocess_input(pixels.copy()), training=False)


def test_backbones_of_the_tutorials():
    assert {"xception", "resnet50v2", "vgg16"} < set(BACKBONES)


def test_unknown_backbone():
    with pytest.raises(UserError, match=r"backbone: expected one of .* Received: 'resnet9000'"):
        backbones.get("resnet9000")
    assert backbones.find("resnet9000") is None and backbones.find(["vgg16"]) is None
    assert backbones.find("vgg16") is backbones.get("vgg16")


def test_every_tap_exists_and_maps_shrink_with_depth(row):
    backbone, model = row
    sides = [model.get_layer(tap).output.shape[1] for tap in backbone.taps]
    assert sides == sorted(sides, reverse=True)
    assert model.get_layer(backbone.taps[-1]).output.shape[1:] == model.output.shape[1:]


def test_every_tap_is_a_place_to_cut(row):
    """The taps of Xception lie beside residual connections, so its cut is the layer's input."""
    backbone, model = row
    for tap in backbone.taps:
        layer = model.get_layer(tap)
        beside = backbone.key == "xception" and tap != backbone.taps[-1]
        assert graph.cut_tensor(model, tap) is (layer.input if beside else layer.output)


@pytest.mark.parametrize(("key", "tap"), [("cxrtiny", "block4a_out"), ("xception", "block9_sepconv1_act")])
def test_backbone_cut_in_two_gives_the_same_maps(key, tap):
    backbone = BACKBONES[key]
    whole = backbone.build(backbone.sizes[0])
    pixels = _pixels(backbone.sizes[0]) / 255
    lower = keras.Model(whole.input, graph.cut_tensor(whole, tap))
    found = graph.backbone_tail(whole, tap)(lower(pixels, training=False), training=False)
    np.testing.assert_allclose(found, whole(pixels, training=False), atol=1e-5)


def test_layer_inside_a_residual_connection_is_no_place_to_cut():
    x = keras.Input((4, 4, 2))
    first = keras.layers.Conv2D(2, 1, name="inside")(x)
    second = keras.layers.Conv2D(2, 1, name="deeper")(first)
    model = keras.Model(x, keras.layers.Add()([x, second]))
    with pytest.raises(ValueError, match="deeper: a connection bypasses both"):
        graph.cut_tensor(model, "deeper")
    assert graph.cut_tensor(model, "inside") is model.input


def test_preprocessing_of_every_row_matches_keras(row):
    backbone, model = row
    normalising = [layer for layer in model.layers if type(layer).__name__ in ("Rescaling", "Normalization")]
    assert not normalising, "else pixels are preprocessed twice"
    x = _pixels(backbone.sizes[0])
    pixels = keras.Input(x.shape[1:])
    preprocess = keras.Model(pixels, preprocessing.apply(pixels, backbone.preprocessing))
    if not backbone.constructor:
        assert backbone.preprocessing == "minus_one_to_one", "CXRTiny is not Keras's"
    elif backbone.normalises_itself:
        tap = backbone.taps[0]
        cut = keras.Model(model.input, model.get_layer(tap).output)
        expected = _maps_of_keras(backbone, cut, tap, x)
        np.testing.assert_allclose(cut(preprocess(x), training=False), expected, atol=1e-4)
    else:
        expected = _keras_module(backbone).preprocess_input(x.copy())
        np.testing.assert_allclose(preprocess(x), expected, atol=1e-4)


@pytest.mark.parametrize("key", OTHERS)
def test_row_of_a_network_that_normalises_its_input_matches_keras(key, monkeypatch):
    backbone = _other(key)
    monkeypatch.setitem(BACKBONES, key, backbone)
    (tap,) = backbone.taps
    model = FeatureKey(key, "random-0", 32, backbone.preprocessing, tap).build(Weights(None, "random-0"))
    x = _pixels(32)
    expected = np.asarray(_maps_of_keras(backbone, model.get_layer("backbone"), tap, x))
    np.testing.assert_allclose(model(x), expected, atol=1e-4 * np.abs(expected).max())


MODES = [
    ("unit", [0.0, 51 / 255, 1.0]),
    ("minus_one_to_one", [-1.0, 51 / 127.5 - 1, 1.0]),
    ("torch", [-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
    ("caffe", [255 - 103.939, 51 - 116.779, 0 - 123.68]),
    ("none", [0.0, 51.0, 255.0]),
]


def test_all_modes_are_tested():
    assert {mode for mode, _ in MODES} == set(preprocessing.MODES)


@pytest.mark.parametrize(("mode", "expected"), MODES)
def test_preprocessing_by_hand_fresh_and_loaded(mode, expected, tmp_path):
    """Red 0, green 51, blue 255."""
    pixels = keras.Input((1, 1, 3))
    model = keras.Model(pixels, preprocessing.apply(pixels, mode))
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        found = np.asarray(each(np.array([[[[0, 51, 255]]]], np.float32)))
        assert found.ravel() == pytest.approx(expected, abs=1e-5)


def test_model_of_a_key_ends_at_the_tap_and_is_frozen():
    model = FeatureKey("cxrtiny", "random-1", 64, "unit", "block3b_out").build(Weights(None, "random-1", 1))
    assert model.output_shape == (None, 8, 8, 64)
    assert model.trainable_variables == []
    assert "block5_out" not in [layer.name for layer in model.get_layer("backbone").layers]


def test_random_weights_follow_their_seed():
    key = FeatureKey("cxrtiny", "random-1", 64, "unit", "block5_out")
    one, same, other = (key.build(Weights(None, "", seed)).get_weights()[0] for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_folder_differs_with_everything_that_changes_the_activations():
    def folder(**values):
        usual = {"backbone": "cxrtiny", "weights": "a", "size": 64, "preprocessing": "unit", "tap": "block5_out"}
        return FeatureKey(**(usual | values)).folder

    others = [
        {"backbone": "vgg16"},
        {"weights": "b"},
        {"size": 96},
        {"preprocessing": "torch"},
        {"tap": "block3b_out"},
        {"pooled": True},
        {"image_transform": "border:3"},
        {"lungs": "files"},
        {"view": 1},
        {"ranges": AugmentationRanges(7, 0.05, 0.08, 0.15)},
        {"cut": True},
        {"engine": "openvino"},
    ]
    assert len({folder(), *(folder(**values) for values in others)}) == 1 + len(others)
    assert folder() == folder()


def test_folder_is_that_of_earlier_versions():
    """So that activations which are kept already are used."""
    assert FeatureKey("cxrtiny", "a", 64, "unit", "block5_out").folder == "cxrtiny-78125812990a343f"
    transformed = FeatureKey("cxrtiny", "a", 64, "unit", "block5_out", True, "crop", "l")
    assert transformed.folder == "cxrtiny-c4fcea8294a5715a"
    ranges = AugmentationRanges(7, 0.05, 0.08, 0.15)
    copy = FeatureKey("vgg16", "a", 64, "unit", "block5_out", view=2, ranges=ranges, cut=True, engine="openvino")
    assert copy.folder == "vgg16-ac64476c10a6a83e"


def test_bundled_weights_are_small():
    assert cxrtiny.BUNDLED_WEIGHTS.stat().st_size < 2_000_000
