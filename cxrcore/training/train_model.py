"""One training: the head on cached features, and then, if asked, the upper layers of the backbone with it."""

from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.features.feature_maps import FeatureMaps
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads, logistic_head
from cxrcore.training.callbacks import Callback, FitResult
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.pooled_data import PooledData
from cxrcore.training.trained_model import TrainedModel
from cxrcore.training.trainer import fit
from cxrcore.training.training_data import TrainingData


def train_model(
    config: RunConfig, data: TrainingData | PooledData, parts: pd.Series, callback: Callback
) -> TrainedModel:
    """Train on the rows that `parts` assigns to training and validation."""
    if isinstance(data, PooledData):
        return logistic_head.train(data, parts, callback)
    keras.utils.set_random_seed(config.seed)
    head = heads.build(config.head, data.maps.map_shape, len(data.classes), config.dropout)
    train, validation = _vectors(config, data, parts, data.maps, head.get_layer("stem"))
    heads.standardise(head, train, config.seed)
    result = fit(head.get_layer("body"), train, validation, config, callback)
    if config.tune and not result.stopped:
        result = _fine_tune(config, data, parts, head, result, callback)
    return TrainedModel(head, result, data.maps, data.maps.map_shape[-1])


def _fine_tune(
    config: RunConfig, data: TrainingData, parts: pd.Series, head: Any, previous: FitResult, callback: Callback
) -> FitResult:
    """Train the backbone after its cut, starting from the trained head.

    Batch normalisation keeps its statistics: those of a few hundred X-rays would be noise.
    """
    assert config.tune and data.cut
    tune, tail = config.tune, data.tail
    _set_trainable(tail, True)
    inputs = keras.Input(data.cut.map_shape, name="cut")
    logits = head.get_layer("body")(head.get_layer("stem")(tail(inputs)))
    model = keras.Model(inputs, logits, name="tuned")
    train, validation = _vectors(config, data, parts, data.cut)
    changed = config.model_copy(update={"learning_rate": tune.learning_rate, "epochs": tune.epochs})
    try:
        return fit(model, train, validation, changed, callback, previous)
    finally:
        _set_trainable(tail, False)


def _set_trainable(tail: Any, trainable: bool) -> None:
    """Set every layer but batch normalisation, which stays frozen and so in inference mode."""
    for layer in tail.layers:
        layer.trainable = trainable and not isinstance(layer, keras.layers.BatchNormalization)


def _vectors(
    config: RunConfig, data: TrainingData, parts: pd.Series, maps: FeatureMaps, stem: Any = None
) -> tuple[FeatureVectors, FeatureVectors]:
    train, validation = (
        FeatureVectors(maps, data.rows(part, parts), data.labels, stem, config.batch_size, views=views)
        for part, views in ((dataset.TRAIN, data.views), (dataset.VALIDATION, 1))
    )
    return train, validation


def probabilities(trained: TrainedModel, rows: np.ndarray, callback: Callback) -> np.ndarray:
    """Return the probabilities of these images, float32 (n, classes)."""
    found = []
    for chunk in trained.maps.chunks(rows):
        callback.wait()
        found.append(np.asarray(trained.head(trained.maps.rows(chunk), training=False)))
    return np.concatenate(found)
