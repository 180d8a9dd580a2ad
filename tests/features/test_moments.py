"""Several feature maps joined into one of their values and squared values."""

import numpy as np
import pytest

from cxrcore.features import graph


def test_area_weights_by_hand():
    """Five cells onto two: the middle one is shared."""
    found = graph.area_weights(5, 2)
    np.testing.assert_allclose(found.T, [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]], atol=1e-7)
    np.testing.assert_array_equal(graph.area_weights(3, 3), np.eye(3))


def test_summary_by_hand():
    """Values 1 and 3: mean 2, standard deviation 1; their squares have the mean 5."""
    maps = np.float32([1, 3]).reshape(1, 1, 2, 1)
    assert graph.summary(maps, of_moments=False).tolist() == [[2]]
    joined = np.concatenate([maps, maps**2], axis=-1)
    np.testing.assert_allclose(graph.summary(joined, of_moments=True), [[2, 1]], atol=1e-6)


def test_joined_map_keeps_the_mean_of_each_map_and_of_its_squares_fresh_and_loaded(tmp_path):
    from cxrcore.features.keras_setup import keras

    shapes = [(7, 6, 3), (5, 5, 2), (3, 4, 4)]
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in shapes]
    model = graph.moments(shapes)
    model.save(tmp_path / "moments.keras")
    for each in (model, keras.models.load_model(tmp_path / "moments.keras")):
        found = np.asarray(each(maps))
        assert found.shape == (2, 3, 4, 2 * (3 + 2 + 4))
        means = np.concatenate([part.mean(axis=(1, 2)) for part in maps], axis=1)
        squares = np.concatenate([np.square(part).mean(axis=(1, 2)) for part in maps], axis=1)
        assert found.mean(axis=(1, 2)) == pytest.approx(np.concatenate([means, squares], axis=1), abs=1e-6)
    np.testing.assert_array_equal(found[:, :, :, 5:9], maps[2])  # the smallest map is not resized
    assert not model.trainable_weights
