"""The Keras head of a logistic regression."""

import numpy as np
import pytest
from scipy.special import softmax

from cxrcore.features import graph
from cxrcore.features.keras_setup import keras
from cxrcore.features.store import CHUNK_BYTES
from cxrcore.training import heads, selection
from cxrcore.training.pooled_data import JoinedMaps
from cxrcore.training.selection import Candidate, Examples


def test_head_gives_the_probabilities_of_the_fit_fresh_and_loaded(tmp_path):
    """From whole maps and from their means, with a channel that is 0 everywhere."""
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    values = (rng.normal(size=(30, 3, 5, 4)) + labels[:, None, None, None]).astype(np.float32)
    values[..., 3] = 0
    maps = np.concatenate([values, values**2], axis=-1)
    vectors = np.concatenate([values.mean(axis=(1, 2)), np.sqrt(values.var(axis=(1, 2)) + 1e-6)], axis=1)
    np.testing.assert_allclose(graph.summary(maps, of_moments=True), vectors, atol=1e-5)
    rows = np.arange(30)
    examples = Examples(rows, labels, list(map(str, rows)), np.eye(3)[labels], np.ones(30), np.empty((30, 0), int))
    fit = selection.fit(Candidate(64, "a"), lambda _, chosen: vectors[chosen], examples, 0.01)
    expected = softmax(fit.logits(vectors) / 2.5, axis=1)
    head = heads.build_logistic(4, fit, 2.5)
    head.save(tmp_path / "head.keras")
    means = maps.mean(axis=(1, 2), keepdims=True)
    for each in (head, keras.models.load_model(tmp_path / "head.keras")):
        for inputs in (maps, means):
            np.testing.assert_allclose(np.asarray(each(inputs)), expected, atol=1e-5)
        logits = each.get_layer("body")(each.get_layer("stem")(maps))
        assert np.asarray(logits) == pytest.approx(fit.logits(vectors), abs=1e-4), "before the temperature"


class _Tap:
    """The maps of a tap, which are not read."""

    def __init__(self, *shape):
        self.map_shape = shape


def test_maps_of_joined_taps_are_read_in_parts_of_bounded_memory():
    """Both taps become 4 x 4 cells of 3 + 5 values and as many squares: 1 kB for each image."""
    maps = JoinedMaps([_Tap(8, 8, 3), _Tap(4, 4, 5)])
    parts = list(maps.chunks(np.arange(40_000)))
    assert maps.map_shape == (4, 4, 16) and [len(part) for part in parts] == [CHUNK_BYTES // 1024, 40_000 - 32_768]
