"""Each method of the CAM family against maps worked out by hand and against what follows from its equation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrcore.explain import methods
from cxrcore.explain.explainer import fuse
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS

# One cell row of two cells, two channels.
A = np.array([[[1.0, 2.0], [3.0, 0.0]]])
G = np.array([[[1.0, -1.0], [0.0, 2.0]]])


def test_grad_cam_by_hand():
    """alpha = (0.5, 0.5): cells 0.5 (1 + 2) = 1.5 and 0.5 (3 + 0) = 1.5."""
    assert methods.grad_cam(A, G).tolist() == [[1.5, 1.5]]


def test_hires_cam_by_hand():
    """1 - 2 < 0, cut at 0; 0 + 0 = 0."""
    assert methods.hires_cam(A, G).tolist() == [[0.0, 0.0]]
    assert methods.hires_cam(A, -G).tolist() == [[1.0, 0.0]]


def test_layer_cam_by_hand():
    """Only positive gradients: 1 * 1 = 1; 2 * 0 + 0 * 3 = 0."""
    assert methods.layer_cam(A, G).tolist() == [[1.0, 0.0]]


def test_grad_cam_plus_plus_by_hand():
    """Sums of A: (4, 2). Channel 0: only cell 0, alpha = 1 / (2 + 4) = 1/6, w = 1/6. Channel 1: only cell 1 has G > 0,
    alpha = 4 / (8 + 8 * 2) = 1/6, w = 2/6. Cells: 1/6 + 4/6 = 5/6 and 3/6.
    """
    assert methods.grad_cam_plus_plus(A, G) == pytest.approx(np.array([[5 / 6, 0.5]]))


def test_eigen_cam_of_a_map_of_rank_one():
    """A = u v': the first singular vector is v / |v|, so the map is u |v|, whatever the gradient."""
    u, v = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([3.0, 4.0])
    a = u[..., None] * v
    for g in (np.zeros_like(a), np.ones_like(a)):
        assert methods.eigen_cam(a, g) == pytest.approx(5 * u)
    assert methods.eigen_cam(-a, np.ones_like(a)) == pytest.approx(5 * u)  # the sign of a vector is free


maps = st.integers(0, 2**32 - 1).map(
    lambda seed: tuple(np.random.default_rng(seed).normal(size=(2, 3, 4, 5, 6)).astype(np.float64))
)


@pytest.mark.parametrize("name", GRADIENT_METHODS)
@settings(max_examples=25, deadline=None)
@given(drawn=maps)
def test_several_scores_at_once_match_single_ones_and_are_not_negative(name, drawn):
    a, g = drawn
    cam_fn = METHODS[name].cam_fn
    together = cam_fn(a[:, None], np.stack([g, -g], axis=1))
    assert together.shape == (3, 2, 4, 5) and together.min() >= 0
    for n in range(3):
        assert together[n, 0] == pytest.approx(cam_fn(a[n], g[n]), abs=1e-9)
        assert together[n, 1] == pytest.approx(cam_fn(a[n], -g[n]), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(drawn=maps)
def test_grad_cam_and_hires_cam_agree_with_the_same_gradient_in_all_cells(drawn):
    """Draelos & Carin 2020: the two agree after global average pooling, where the gradient is the same in all cells."""
    a, g = drawn
    even = np.broadcast_to(g[:, :1, :1], g.shape)
    assert methods.grad_cam(a, even) == pytest.approx(methods.hires_cam(a, even), abs=1e-9)


def test_zero_gradient_gives_an_empty_map_without_warning():
    for name in GRADIENT_METHODS:
        found = METHODS[name].cam_fn(np.ones((2, 2, 3)), np.zeros((2, 2, 3)))
        assert np.isfinite(found).all() and (found.any() == (name == "eigen-cam"))


def test_fused_layers_have_the_largest_size_and_equal_weight():
    coarse, fine = np.array([[[4.0]]]), np.array([[[1.0, 0.0], [0.0, 0.5]]])
    assert fuse([coarse, fine])[0].tolist() == [[1.0, 0.5], [0.5, 0.75]]
    assert fuse([np.zeros((1, 1, 1)), fine])[0].tolist() == [[0.5, 0.0], [0.0, 0.25]]


def test_eigen_cam_of_fewer_cells_than_channels():
    """A = u v' of two cells and three channels, u = (1, 2) and |v| = 3: the map is u |v|, whatever the sign of v."""
    a = np.array([1.0, 2.0])[None, :, None] * np.array([1.0, 2.0, 2.0])
    assert methods.eigen_cam(a, np.zeros((4, *a.shape))) == pytest.approx(np.tile([[[3.0, 6.0]]], (4, 1, 1)))
    assert methods.eigen_cam(-a, a) == pytest.approx(np.array([[3.0, 6.0]]))
    assert not methods.eigen_cam(np.zeros((1, 2, 3)), a).any()


def test_eigen_cam_keeps_the_direction_of_most_of_the_map():
    """Two channels that do not overlap, 3 and 1 high: the first alone is the first singular vector."""
    a = np.zeros((2, 2, 2))
    a[0, 0, 0], a[1, 1, 1] = 3, 1
    assert methods.eigen_cam(a, a) == pytest.approx(np.array([[3.0, 0.0], [0.0, 0.0]]))
