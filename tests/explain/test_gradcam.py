from pathlib import Path

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.explain import layers
from cxrcore.explain.explainer import Explainer
from cxrcore.explain.gradients import HeadGradients, ModelGradients, heatmaps
from cxrcore.explain.methods import GRADIENT_METHODS
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.keras_setup import keras, tf
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights
from cxrcore.inference import saved_model
from cxrcore.inference.classifier import Classifier
from cxrcore.training import heads


def _head(kind, shape, seed=0):
    keras.utils.set_random_seed(seed)
    return heads.build(kind, shape, 3, 0.0)


def _explainer(run):
    return Explainer(Classifier(run), run.config)


def test_grad_cam_of_a_linear_head_by_hand():
    """With global average pooling and a linear layer, alpha_k is w_k / Z: the map is ReLU(sum w_k A_k) / Z."""
    head = _head("gap", (2, 2, 2))
    weights = np.array([[1.0, -1.0, 0.0], [2.0, 0.5, 0.0]])
    head.get_layer("body").set_weights([weights, np.zeros(3)])
    maps = np.array([[[[4.0, 0.0], [0.0, 4.0]], [[-4.0, 0.0], [1.0, 1.0]]]], np.float32)
    found = heatmaps(HeadGradients(head), maps)
    assert found.shape == (1, 3, 2, 2)
    assert found[0, 0].tolist() == [[1.0, 2.0], [0.0, 0.75]]  # (A0 + 2 A1) / 4
    assert found[0, 1].tolist() == [[0.0, 0.5], [1.0, 0.0]]  # (-A0 + A1 / 2) / 4, cut at 0
    assert not found[0, 2].any()


def test_tutorial_head_matches_the_gradient_of_the_logit():
    head = _head("tutorial", (4, 4, 5), seed=2)
    maps = np.random.default_rng(0).normal(size=(3, 4, 4, 5)).astype(np.float32)
    found = heatmaps(HeadGradients(head), maps)
    inputs = tf.Variable(maps)
    logits_of = keras.Sequential([head.get_layer("stem"), head.get_layer("body")])
    for k in range(3):
        with tf.GradientTape() as tape:
            score = tf.reduce_sum(logits_of(inputs)[:, k])
        alpha = np.asarray(tape.gradient(score, inputs)).mean(axis=(1, 2), keepdims=True)
        assert found[:, k] == pytest.approx(np.maximum((alpha * maps).sum(axis=-1), 0), abs=1e-6)


def test_pooled_layer_has_the_same_map_at_half_the_size():
    """For a feature map that is constant over each 2 x 2 cell."""
    head = _head("tutorial", (4, 4, 3), seed=3)
    coarse = np.random.default_rng(1).normal(size=(2, 2, 2, 3)).astype(np.float32)
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    pooled, full = heatmaps(HeadGradients(head, pooled=True), fine), heatmaps(HeadGradients(head), fine)
    assert pooled.shape == (2, 3, 2, 2)
    # dy/dA of a fine cell is a quarter of its coarse cell's, and so is its mean
    assert pooled == pytest.approx(4 * full[:, :, ::2, ::2], abs=1e-5)


def test_batches_match_single_images():
    head = _head("gap", (3, 3, 4))
    maps = np.random.default_rng(0).normal(size=(70, 3, 3, 4)).astype(np.float32)
    gradients = HeadGradients(head)
    gradients.batch_size = lambda inputs: 32
    assert heatmaps(gradients, maps)[69] == pytest.approx(heatmaps(gradients, maps[69:])[0], abs=1e-6)


@pytest.mark.parametrize("kind", ["gap", "tutorial"])
def test_whole_model_matches_kept_features_fresh_and_loaded(kind, tmp_path):
    key = FeatureKey("cxrtiny", "bundled", 64, "minus_one_to_one", "block4c_out")
    features = key.build(Weights(BUNDLED_WEIGHTS, "bundled"))
    head = _head(kind, features.output_shape[1:])
    model = saved_model.assemble(features, head)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    kept = heatmaps(HeadGradients(head), features.predict(pixels, verbose=0))
    assert kept.max() > 1e-3
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        found = heatmaps(ModelGradients(each, "block4c_out"), pixels)
        assert found == pytest.approx(kept, abs=1e-5 * float(kept.max()))


def test_shallower_layer_has_a_finer_map(trained):
    explainer = _explainer(trained)
    path = Path(trained.predictions("test")["path"][0])
    deep, shallow = explainer.explain(path, "block5_out"), explainer.explain(path, "block3a_out")
    assert deep.heatmaps.shape == (3, 8, 8) and shallow.heatmaps.shape == (3, 16, 16)
    assert (deep.probabilities == shallow.probabilities).all()


def test_kept_heatmaps_match_the_loaded_model(trained):
    explainer, tested = _explainer(trained), trained.predictions("test")
    for number in (0, 7):
        found = explainer.explain(Path(tested["path"][number]), trained.config.tap)
        assert found.heatmaps == pytest.approx(trained.heatmaps()[number], abs=1e-4)


def test_layers_to_choose_from():
    config = run_config.make(dataset="d", backbone="vgg16", tap="block4_pool", head="tutorial")
    assert layers.choices(config) == ["block4_pool", "block3_pool", "block2_pool", "fused", "pooled"]
    assert layers.choices(config.model_copy(update={"head": "gap"}))[-2:] == ["block2_pool", "fused"]


def test_every_method_through_the_loaded_model_matches_kept_features(tmp_path):
    key = FeatureKey("cxrtiny", "bundled", 64, "minus_one_to_one", "block4c_out")
    features = key.build(Weights(BUNDLED_WEIGHTS, "bundled"))
    head = _head("tutorial", features.output_shape[1:])
    saved_model.assemble(features, head).save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    maps = features.predict(pixels, verbose=0)
    through_model = ModelGradients(keras.models.load_model(tmp_path / "model.keras"), "block4c_out")
    for method in GRADIENT_METHODS:
        kept = heatmaps(HeadGradients(head), maps, method)
        assert kept.max() > 0
        assert heatmaps(through_model, pixels, method) == pytest.approx(kept, abs=1e-5 * float(kept.max())), method


def test_contrast_of_two_classes_by_hand():
    """With global average pooling and a linear layer, A against B has the map ReLU(sum (w_A - w_B) A) / Z."""
    head = _head("gap", (2, 2, 2))
    head.get_layer("body").set_weights([np.array([[1.0, -1.0, 0.0], [2.0, 0.5, 0.0]]), np.zeros(3)])
    maps = np.array([[[[4.0, 0.0], [0.0, 4.0]], [[-4.0, 0.0], [1.0, 1.0]]]], np.float32)
    found = heatmaps(HeadGradients(head), maps, scores=np.array([[1.0, -1.0, 0.0]]))
    assert found.shape == (1, 1, 2, 2)
    assert found[0, 0].tolist() == [[2.0, 1.5], [0.0, 0.875]]  # (2 A0 + 1.5 A1) / 4, cut at 0


def test_fused_layers_with_another_method_and_a_contrast(trained):
    explainer, path = _explainer(trained), Path(trained.predictions("test")["path"][0])
    found = explainer.explain(path, layers.FUSED, "layercam", lambda _: np.array([[1.0, -1.0, 0.0]]))
    assert found.heatmaps.shape == (1, 16, 16) and 0 < found.heatmaps.max() <= 1


def test_gradients_of_joined_layers_by_hand():
    """The head takes the mean of each channel of both layers, and of its squares: a logit that is the sum of w_k mean
    A_k and v_k mean A_k^2 has the gradient (w_k + 2 v_k A_k) / (h w) in each cell of the deeper layer.
    """
    taps = ("block4c_out", "block5_out")
    key = FeatureKey("cxrtiny", "bundled", 64, "minus_one_to_one", "+".join(taps), moments=True)
    features = key.build(Weights(BUNDLED_WEIGHTS, "bundled"))
    head = _head("gap", features.output_shape[1:])
    model = saved_model.assemble(features, head)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    through_model = ModelGradients(model, taps[1])
    maps, found = through_model(pixels)
    weights = head.get_layer("body").get_weights()[0]
    channels = (len(weights) // 2 - maps.shape[-1], len(weights) // 2, len(weights) - maps.shape[-1])
    _, w, _, v = np.split(weights, channels)
    want = np.stack([(w[:, k] + 2 * v[:, k] * maps) / (maps.shape[1] * maps.shape[2]) for k in range(3)], axis=1)
    assert found == pytest.approx(want, abs=1e-5)
    contrast = through_model(pixels, np.array([[1.0, -1.0, 0.0]]))[1]
    assert contrast == pytest.approx(want[:, :1] - want[:, 1:2], abs=1e-5)
