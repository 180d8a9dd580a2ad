"""Heads: their inputs are standardised by the training rows, and the linear one is a logistic regression."""

import numpy as np
import pytest

from cxrcore.config import run_config
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import fit
from tests.training.toy import ArrayMaps, make_maps


@pytest.mark.parametrize("kind", ["probe", "hidden"])
def test_standardised_inputs_have_mean_0_and_variance_1_fresh_and_loaded(kind, tmp_path):
    maps, labels = make_maps()
    maps.maps *= 50
    maps.maps += 9
    head = heads.build(kind, maps.map_shape, 3, 0.0)
    part = FeatureVectors(maps, np.arange(len(labels)), labels, head.get_layer("stem"))
    heads.standardise(head, part)
    config = run_config.make(dataset="d", head=kind, epochs=40, learning_rate=0.05, dropout=0.0, early_stopping=0)
    fit(head.get_layer("body"), part, part, config)
    assert (np.asarray(head(maps.maps)).argmax(axis=1) == labels).mean() > 0.9
    head.save(tmp_path / "head.keras")
    for each in (head, keras.models.load_model(tmp_path / "head.keras")):
        inputs = np.asarray(each.get_layer("body").get_layer("standardise")(maps.maps.mean(axis=(1, 2))))
        assert inputs.mean(axis=0) == pytest.approx(0, abs=1e-4) and inputs.std(axis=0) == pytest.approx(1, abs=1e-3)
        assert np.asarray(each(maps.maps)) == pytest.approx(np.asarray(head(maps.maps)), abs=1e-6)


def test_mean_and_variance_are_those_of_rows_at_random(monkeypatch):
    """Rows come sorted by class: 500 of the value 0, then 500 of the value 1. All have mean 0.5 and variance 0.25."""
    monkeypatch.setattr(heads, "_SAMPLE", 200)
    maps = ArrayMaps(np.repeat([0.0, 1.0], 500).astype(np.float32)[:, None, None, None] * np.ones((1, 2, 2, 3)))
    head = heads.build("probe", maps.map_shape, 2, 0.0)
    part = FeatureVectors(maps, np.arange(1000), np.repeat([0, 1], 500), head.get_layer("stem"))
    heads.standardise(head, part, seed=3)
    layer = head.get_layer("body").get_layer("standardise")
    assert np.asarray(layer.mean) == pytest.approx(0.5, abs=0.1)
    assert np.asarray(layer.variance) == pytest.approx(0.25, abs=0.02)
    again = heads.build("probe", maps.map_shape, 2, 0.0)
    heads.standardise(again, part, seed=3)
    assert np.asarray(again.get_layer("body").get_layer("standardise").mean) == pytest.approx(np.asarray(layer.mean))


def test_heads_that_do_not_standardise_are_left_as_they_are():
    maps, labels = make_maps()
    head = heads.build("gap", maps.map_shape, 3, 0.0)
    before = head.get_weights()
    heads.standardise(head, FeatureVectors(maps, np.arange(len(labels)), labels, head.get_layer("stem")))
    assert all((one == other).all() for one, other in zip(before, head.get_weights(), strict=True))


def test_linear_head_matches_sklearn_logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    maps, labels = make_maps(seed=1, count=300, channels=8)
    noise = np.random.default_rng(1).normal(scale=8, size=maps.maps.shape)
    maps.maps += noise.astype(np.float32)  # so that the classes overlap
    head = heads.build("probe", maps.map_shape, 3, 0.0)
    train, test = np.arange(200), np.arange(200, 300)
    parts = [FeatureVectors(maps, rows, labels, head.get_layer("stem"), 32) for rows in (train, test)]
    heads.standardise(head, parts[0])
    config = run_config.make(
        dataset="d", head="probe", epochs=150, learning_rate=0.02, l2=0.0025, early_stopping=0, keep="last"
    )
    fit(head.get_layer("body"), *parts, config)
    vectors = maps.maps.mean(axis=(1, 2))
    scaler = StandardScaler().fit(vectors[train])
    # C = 1 / (2 n l2): scikit-learn sums the losses and halves the regularisation.
    model = LogisticRegression(C=1 / (2 * 200 * 0.0025), max_iter=1000)
    model.fit(scaler.transform(vectors[train]), labels[train])
    expected, found = model.predict_proba(scaler.transform(vectors[test])), np.asarray(head(maps.maps[test]))
    accuracy = [(each.argmax(axis=1) == labels[test]).mean() for each in (expected, found)]
    assert abs(accuracy[0] - accuracy[1]) <= 0.02 and 0.5 < accuracy[0] < 0.99
    assert found == pytest.approx(expected, abs=0.05)
