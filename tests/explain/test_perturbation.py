"""The perturbation methods, against linear models with known results."""

import numpy as np
import pytest

from cxrcore.explain import methods, perturbation
from cxrcore.explain.methods import METHODS

RNG = np.random.default_rng(0)
SIZE, CLASSES = 20, 3
PIXELS = RNG.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
SCORES = np.array([[1.0, 0.0, 0.0], [1.0, -1.0, 0.0]])


class Linear:
    """S_k(x) = sum w_k x, or its square."""

    def __init__(self, power=1):
        self.w, self.power, self.passes = RNG.normal(size=(CLASSES, SIZE, SIZE, 3)) / 1000, power, 0

    def logits(self, pixels):
        self.passes += len(pixels)
        return np.einsum("nijc,kijc->nk", pixels, self.w) ** self.power

    def gradients(self, pixels, scores):
        assert pixels.dtype == np.float32  # half of the memory
        before = np.einsum("nijc,kijc->nk", pixels, self.w)
        each = (self.power * before ** (self.power - 1))[..., None, None, None] * self.w
        return np.einsum("sk,nkijc->nsijc", scores, each)


def record(calls):
    return lambda done, total: calls.append((done, total))


def test_path_integral_of_a_linear_model_is_weight_times_pixel():
    model, calls = Linear(), []
    found = perturbation.path_integral(model, PIXELS, SCORES, record(calls))
    want = np.einsum("sk,kijc,ijc->sij", SCORES, model.w, PIXELS)
    assert found == pytest.approx(want, abs=1e-6) and calls[-1] == (32, 32)
    positive = perturbation.integrated_gradients(model, PIXELS, SCORES, None, record([]))
    assert positive == pytest.approx(np.maximum(want, 0), abs=1e-6)


def test_path_integral_sums_to_the_difference_from_black():
    """Completeness, for a model that is not linear: a square, which the midpoint rule integrates exactly."""
    model = Linear(power=2)
    found = perturbation.path_integral(model, PIXELS, SCORES, record([])).sum(axis=(1, 2))
    assert found == pytest.approx(model.logits(PIXELS[None])[0] @ SCORES.T, rel=1e-4)


def test_occlusion_of_a_linear_model_by_hand():
    model, calls = Linear(), []
    found = perturbation.occlusion(model, PIXELS, SCORES, None, record(calls))
    adds = np.einsum("sk,kijc,ijc->sij", SCORES, model.w, PIXELS - PIXELS.mean())
    patches = adds.reshape(2, 10, 2, 10, 2).sum(axis=(2, 4))
    assert found == pytest.approx(np.maximum(patches, 0), abs=1e-4)
    assert calls[-1] == (100, 100) and model.passes == 101


def test_score_cam_by_hand():
    """Two channels, each one half of the image: S of each half gives the shares; a constant channel has none."""
    halves = np.zeros((20, 20, 3))
    halves[:10, :, 0], halves[10:, :, 1], halves[..., 2] = 2.0, 5.0, 7.0
    model, calls = Linear(), []
    found = perturbation.score_cam(model, PIXELS, SCORES, halves, record(calls))
    upper, lower = (
        model.logits((PIXELS * mask)[None])[0] @ SCORES.T for mask in np.moveaxis(halves[..., :2] > 0, -1, 0)[..., None]
    )
    share = 1 / (1 + np.exp(lower - upper))
    assert found[:, 0, 0] == pytest.approx(2 * share) and found[:, 19, 0] == pytest.approx(5 * (1 - share))
    assert calls[-1] == (2, 2)
    assert not perturbation.score_cam(model, PIXELS, SCORES, halves[..., 2:], record([])).any()


def test_gradient_of_a_probability_is_a_sum_of_those_of_the_logits():
    """For P = (0.7, 0.2, 0.1): dP_0 = 0.7 (0.3 dS_0 - 0.2 dS_1 - 0.1 dS_2)."""
    probabilities = np.array([0.7, 0.2, 0.1])
    found = methods.logit_weights("tutorial", np.eye(3), probabilities)
    assert found[0] == pytest.approx([0.21, -0.14, -0.07])
    logits, step = np.log(probabilities), 1e-6
    for k in range(3):
        moved = np.exp(logits + step * np.eye(3)[k])
        assert (moved / moved.sum() - probabilities) / step == pytest.approx(found[:, k], abs=1e-5)
    assert methods.logit_weights("grad-cam", SCORES, probabilities) is SCORES


def test_each_method_has_one_function_and_its_cost():
    assert all((method.cam_fn is None) != (method.perturbation_fn is None) for method in METHODS.values())
    passes = [METHODS[name].passes(2048) for name in ("grad-cam", "score-cam", "occlusion")]
    assert passes == [3, 2048, 100]
