"""Which layers are shuffled at each stage, of a model of four layers by hand."""

import numpy as np
import pytest

from cxrcore.explain import randomisation

VALUES = np.arange(24.0).reshape(2, 3, 4)


class _Layer:
    """A layer with one array, or one that has no weights."""

    def __init__(self, name, weights=True):
        self.name, self.values = name, [VALUES] if weights else []

    def get_weights(self):
        return self.values

    def set_weights(self, values):
        self.values = values


class _Model:
    """Layers and parts by name."""

    def __init__(self, layers=(), **parts):
        self.layers, self.parts = layers, parts

    def get_layer(self, name):
        return self.parts[name]


def _model():
    layers = [_Layer(name) for name in ("first", "low", "between", "high", "last")]
    body = _Model([_Layer("hidden"), _Layer("dropout", weights=False)])
    return layers, body.layers, _Model(features=_Model(backbone=_Model(layers)), head=_Model(body=body))


def _shuffled(layers):
    return [layer.name for layer in layers if layer.values and (layer.values[0] != VALUES).any()]


def test_layers_are_shuffled_once_down_to_the_tap_below():
    backbone, head, model = _model()
    steps = randomisation.stages(model, ["last", "low"])
    assert next(steps) == "head" and (_shuffled(head), _shuffled(backbone)) == (["hidden"], [])
    assert next(steps) == "last" and _shuffled(backbone) == ["between", "high", "last"]
    kept = backbone[-1].values[0].copy()
    assert next(steps) == "low" and _shuffled(backbone) == ["first", "low", "between", "high", "last"]
    assert (backbone[-1].values[0] == kept).all(), "not shuffled again"
    assert list(steps) == []
    for layer in backbone:
        assert layer.values[0].shape == VALUES.shape and (np.sort(layer.values[0].ravel()) == VALUES.ravel()).all()


def test_seed_decides_the_order():
    first, second, other = _model(), _model(), _model()
    for (_, _, model), seed in ((first, 3), (second, 3), (other, 4)):
        list(randomisation.stages(model, ["last"], seed))
    arrays = [layers[0].values[0] for layers, _, _ in (first, second, other)]
    assert (arrays[0] == arrays[1]).all() and (arrays[0] != arrays[2]).any()


def test_rank_correlation_of_a_constant_map_is_that_of_no_information():
    """A constant map against one whose values are 1 apart, both ways round."""
    varied, constant = np.array([[1.0, 2.0]]), np.array([[3.0, 3.0]])
    assert randomisation.rank_correlation(varied, constant) == 0 == randomisation.rank_correlation(constant, varied)
    assert randomisation.rank_correlation(constant, constant + 1) == 1
    assert randomisation.rank_correlation(varied, varied[:, ::-1]) == pytest.approx(-1)
