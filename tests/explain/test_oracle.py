"""Every method on MobileNetV2 with its real weights, against independent implementations."""

import cv2
import numpy as np
import pytest

from cxrcore.explain import perturbation
from cxrcore.explain.gradients import ModelGradients, heatmaps
from cxrcore.explain.methods import METHODS
from cxrcore.features.keras_setup import keras, tf
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights
from cxrcore.inference import saved_model
from cxrcore.inference.logit_model import LogitModel
from cxrcore.progress import ignore
from cxrcore.training import heads
from tests.conftest import SHARED

WEIGHTS = SHARED / "weights" / "mobilenetv2_notop.weights.h5"
pytestmark = pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs ../shared/weights")
SIZE, TAP = 96, "block_12_add"


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(0)
    features = FeatureKey("mobilenetv2", "real", SIZE, "minus_one_to_one", TAP).build(Weights(WEIGHTS, "real"))
    return saved_model.assemble(features, heads.build("gap", features.output_shape[1:], 3, 0.0))


@pytest.fixture(scope="module")
def pixels():
    file = sorted((SHARED / "data").rglob("*.png"))[0]
    return cv2.resize(cv2.imread(str(file)), (SIZE, SIZE))[None]


@pytest.fixture(scope="module")
def plain(classifier):
    """The same network in one piece, from preprocessed images to (map, logits)."""
    backbone, body = (
        classifier.get_layer("features").get_layer("backbone"),
        classifier.get_layer("head").get_layer("body"),
    )
    weights = body.get_layer("logits").get_weights()
    logits = keras.layers.Dense(3, name="out")(keras.layers.GlobalAveragePooling2D()(backbone.output))
    model = keras.Model(backbone.input, logits)
    model.get_layer("out").set_weights(weights)
    return model


def same(found, want):
    """At most 1e-4 apart, each scaled to its maximum."""
    found, want = (np.asarray(each, np.float64) for each in (found, want))
    assert want.max() > 0 and found.shape == want.shape
    assert np.abs(found / found.max() - want / want.max()).max() < 1e-4


@pytest.mark.parametrize(
    ("method", "module", "name"),
    [
        ("grad-cam", "gradcam", "Gradcam"),
        ("layercam", "layercam", "Layercam"),
    ],
)
def test_matches_tf_keras_vis(method, module, name, classifier, plain, pixels):
    oracle = getattr(pytest.importorskip(f"tf_keras_vis.{module}"), name)(plain)
    found = heatmaps(ModelGradients(classifier, TAP), pixels, method)[0]
    for k in range(3):
        image = pixels.astype(np.float32) / 127.5 - 1
        options = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}
        want = oracle(lambda out, k=k: out[:, k], image, penultimate_layer=TAP, **options)
        same(found[k], np.asarray(want)[0])


def test_hirescam_and_grad_cam_are_the_class_activation_map(classifier, plain, pixels):
    """Behind global average pooling and a linear layer both are ReLU(sum_k w_k A_k) / (h w) (Zhou et al. 2016)."""
    maps = keras.Model(plain.input, plain.get_layer(TAP).output)(pixels.astype(np.float32) / 127.5 - 1)
    want = np.maximum(np.einsum("hwc,ck->khw", maps[0], plain.get_layer("out").get_weights()[0]), 0)
    for method in ("hirescam", "grad-cam"):
        found = heatmaps(ModelGradients(classifier, TAP), pixels, method)[0]
        for k in range(3):
            same(found[k], want[k])


def test_grad_cam_plus_plus_in_closed_form(classifier, plain, pixels):
    """There the gradient is g_k = w_k / (h w) in every cell, so a channel's weight is h w ReLU(g) / (2 + g sum A).

    tf-keras-vis, as the authors' code, divides alpha by its sum over the cells, which the paper does not.
    """
    maps = np.asarray(keras.Model(plain.input, plain.get_layer(TAP).output)(pixels.astype(np.float32) / 127.5 - 1))[0]
    maps = maps.astype(np.float64)
    cells = maps.shape[0] * maps.shape[1]
    g = plain.get_layer("out").get_weights()[0] / cells
    weights = cells * np.maximum(g, 0) / (2 + g * maps.sum(axis=(0, 1))[:, None])
    found = heatmaps(ModelGradients(classifier, TAP), pixels, "grad-cam++")[0]
    for k in range(3):
        same(found[k], np.maximum(maps @ weights[:, k], 0))


def test_eigen_cam_matches_sklearn(classifier, plain, pixels):
    from sklearn.decomposition import TruncatedSVD

    maps = np.asarray(keras.Model(plain.input, plain.get_layer(TAP).output)(pixels.astype(np.float32) / 127.5 - 1))[0]
    along = TruncatedSVD(1, algorithm="arpack").fit_transform(maps.reshape(-1, maps.shape[-1]).astype(np.float64))
    along = along.reshape(maps.shape[:2]) * np.sign(along.sum())
    same(heatmaps(ModelGradients(classifier, TAP), pixels, "eigen-cam")[0, 0], np.maximum(along, 0))


def logits(plain, raw):
    """One image at a time."""
    one = tf.function(plain)
    return np.stack([np.asarray(one(tf.constant(image[None].astype(np.float32) / 127.5 - 1)))[0] for image in raw])


def perturbation_map(classifier, plain, pixels, method):
    maps = np.asarray(keras.Model(plain.input, plain.get_layer(TAP).output)(pixels.astype(np.float32) / 127.5 - 1))[0]
    scores = np.eye(3, dtype=np.float32)
    return METHODS[method].perturbation_fn(LogitModel(classifier), pixels[0], scores, maps, ignore), maps


def test_occlusion_patch_by_patch(classifier, plain, pixels):
    found, _ = perturbation_map(classifier, plain, pixels, "occlusion")
    edges = [int(SIZE * part / 10) for part in range(11)]
    covered = []
    for i in range(10):
        for j in range(10):
            image = pixels[0].astype(np.float32)
            image[edges[i] : edges[i + 1], edges[j] : edges[j + 1]] = pixels[0].mean()
            covered.append(image)
    fall = logits(plain, pixels)[0] - logits(plain, covered)
    for k in range(3):
        same(found[k], np.maximum(fall[:, k].reshape(10, 10), 0))


def test_score_cam_channel_by_channel(classifier, plain, pixels):
    found, maps = perturbation_map(classifier, plain, pixels, "score-cam")
    masked = []
    for channel in np.moveaxis(maps, -1, 0):
        large = tf.image.resize(channel[..., None], (SIZE, SIZE)).numpy()
        scaled = (large - large.min()) / (large.max() - large.min())
        masked.append(pixels[0] * scaled)
    alpha = np.asarray(tf.nn.softmax(logits(plain, masked), axis=0))
    for k in range(3):
        same(found[k], np.maximum((maps * alpha[:, k]).sum(axis=-1), 0))


def test_integrated_gradients_step_by_step(classifier, plain, pixels, monkeypatch):
    """The same midpoints, one at a time; 10 instead of 32, in batches of 8 and 2."""
    monkeypatch.setattr(perturbation, "STEPS", 10)
    found, _ = perturbation_map(classifier, plain, pixels, "integrated-gradients")
    totals = np.zeros((3, SIZE, SIZE, 3))
    for step in range(10):
        image = tf.Variable(pixels[0][None] * np.float32((step + 0.5) / 10))
        with tf.GradientTape(persistent=True) as tape:
            scores = tf.unstack(plain(image * (1 / 127.5) - 1)[0])
        totals += np.stack([np.asarray(tape.gradient(score, image))[0] for score in scores])
    for k in range(3):
        same(found[k], np.maximum((totals[k] / 10 * pixels[0]).sum(axis=-1), 0))
