"""The checkpoint on disk: what is equal is written once, and read as two."""

import json

import numpy as np

from cxrcore.training.checkpoint import Checkpoint, load

BIG, SMALL, OTHER = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.zeros(3, np.float32), np.ones(3, np.float32)


def _checkpoint(weights):
    return Checkpoint("head", 7, 0.01, 5, 0.25, [SMALL, BIG], [OTHER], weights, {"EarlyStopping": {"wait": 2.0}}, 9)


def _written(path):
    with np.load(path) as file:
        return set(file.files) - {"about"}


def test_weights_that_are_variables_are_written_once(tmp_path):
    path = tmp_path / "state.npz"
    _checkpoint([BIG.copy(), OTHER]).save(path)
    assert _written(path) == {"variables 0", "variables 1", "optimizer 0", "weights 1"}
    found = load(path)
    for values, expected in (
        (found.variables, [SMALL, BIG]),
        (found.optimizer, [OTHER]),
        (found.weights, [BIG, OTHER]),
    ):
        for value, want in zip(values, expected, strict=True):
            np.testing.assert_array_equal(value, want)
    assert (found.epoch, found.rate, found.kept, found.best, found.complete) == (7, 0.01, 5, 0.25, 9)
    found.variables[1][:] = -1  # as a step of the optimiser may do
    np.testing.assert_array_equal(found.weights[0], BIG)


def test_equal_values_of_another_shape_or_type_are_written(tmp_path):
    path = tmp_path / "state.npz"
    _checkpoint([BIG.reshape(3, 2), SMALL.astype(np.int32), -SMALL]).save(path)
    assert {"weights 0", "weights 1", "weights 2"} <= _written(path)
    assert [value.shape for value in load(path).weights] == [(3, 2), (3,), (3,)]


def test_checkpoint_of_an_earlier_version(tmp_path):
    path = tmp_path / "state.npz"
    about = {"phase": "head", "epoch": 1, "rate": 0.1, "kept": 1, "best": 2.0, "callbacks": {}}
    np.savez(path, **{"about": json.dumps(about), "variables 0": BIG, "optimizer 0": OTHER, "weights 0": BIG})
    np.testing.assert_array_equal(load(path).weights[0], BIG)
    assert load(path).complete == 0
