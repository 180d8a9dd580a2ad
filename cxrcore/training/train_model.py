"""One training: the head on kept activations, and then, if asked, the upper layers of the backbone with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import split
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads, trainer
from cxrcore.training.callbacks import Callback, FitResult
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.training_data import TrainingData


@dataclass(frozen=True)
class TrainedModel:
    """`head` from maps to probabilities; a tuned backbone's weights are in the material's `upper` part."""

    head: Any
    fit: FitResult


def learn(config: RunConfig, material: TrainingData, parts: pd.Series, talk: Callback) -> TrainedModel:
    """Train on the rows of `parts` that say so, and return what was learned."""
    keras.utils.set_random_seed(config.seed)
    head = heads.build(config.head, material.maps.map_shape, len(material.classes), config.dropout)
    train, validation = _vectors(config, material, parts, material.maps, head.get_layer("stem"))
    heads.standardise(head, train)
    learned = trainer.fit(head.get_layer("body"), train, validation, config, talk)
    if config.tune and not learned.stopped:
        learned = _tune(config, material, parts, head, learned, talk)
    return TrainedModel(head, learned)


def _tune(
    config: RunConfig, material: TrainingData, parts: pd.Series, head: Any, before: FitResult, talk: Callback
) -> FitResult:
    """Let the backbone learn behind its cut, from the trained head on.

    Batch normalisation keeps the statistics it came with: those of a few hundred X-rays would be noise.
    """
    assert config.tune and material.cut
    tune, upper = config.tune, material.upper
    _thaw(upper, True)
    inputs = keras.Input(material.cut.map_shape, name="cut")
    logits = head.get_layer("body")(head.get_layer("stem")(upper(inputs)))
    body = keras.Model(inputs, logits, name="tuned")
    same = keras.Model(inputs, keras.layers.Identity()(inputs))
    train, validation = _vectors(config, material, parts, material.cut, same)
    changed = config.model_copy(update={"learning_rate": tune.learning_rate, "epochs": tune.epochs})
    try:
        return trainer.fit(body, train, validation, changed, talk, before)
    finally:
        _thaw(upper, False)


def _thaw(upper: Any, thawed: bool) -> None:
    """Let every layer learn, or none; batch normalisation never does, which also keeps it in inference mode."""
    for layer in upper.layers:
        layer.trainable = thawed and not isinstance(layer, keras.layers.BatchNormalization)


def _vectors(
    config: RunConfig, material: TrainingData, parts: pd.Series, maps: Any, stem: Any
) -> tuple[FeatureVectors, FeatureVectors]:
    rows = [material.rows(part, parts) for part in (split.TRAIN, split.VALIDATION)]
    train, validation = (
        FeatureVectors(maps, numbers, material.labels, stem, config.batch_size, views=views)
        for numbers, views in zip(rows, (material.views, 1), strict=True)
    )
    return train, validation


def probabilities(learned: TrainedModel, material: TrainingData, rows: np.ndarray, talk: Callback) -> np.ndarray:
    """Return the answers for these images, float32 (n, classes)."""
    answers = []
    for chunk in material.maps.chunks(rows):
        talk.wait()
        answers.append(np.asarray(learned.head(material.maps.rows(chunk), training=False)))
    return np.concatenate(answers)
