"""Heads: the small network that is trained on the feature map. Every head is a stem, a body and a softmax.

The stem has no weights (pooling), so its output is computed once. The body is trained; it gives logits, because
Grad-CAM explains the class logit.
"""

import random
from typing import Any

import numpy as np

from cxrcore.errors import UserError
from cxrcore.features import graph
from cxrcore.features.keras_setup import keras
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.selection import Fit

layers = keras.layers
HIDDEN = {"tutorial": 20, "hidden": 64}  # units of the hidden layer, where a head has one
STANDARDISED = {"hidden", "probe"}  # heads whose inputs have mean 0 and variance 1
_SAMPLE = 20_000  # rows that mean and variance are computed from


def build(kind: str, map_shape: tuple[int, int, int], classes: int, dropout: float, seed: int = 0) -> Any:
    """Return the head as a Keras model: maps (N, h, w, c) to probabilities (N, classes).

    Its first weights and what its dropout drops depend on `seed` alone, whatever other threads draw: those of Dask do.

    `gap` takes each channel's mean; `probe` is that, standardised and linear; `hidden` is that with a hidden layer;
    `tutorial` pools 2 x 2 cells and has a hidden layer. The layers are `stem` (maps to vectors), `body` (vectors to
    logits) and `probabilities`.

    Raises:
        UserError: the map is too small to be pooled.
    """
    seeds = random.Random(seed)  # nosec B311 - the seeds that Keras would draw after `set_random_seed(seed)`
    stem = _stem(kind, map_shape)
    vector = keras.Input(stem.output_shape[1:], name="vector")
    x = vector
    if kind in STANDARDISED:
        x = layers.Normalization(name="standardise")(x)
    if kind in HIDDEN:
        x = _dense(HIDDEN[kind], "hidden", seeds, activation="relu")(x)
    if kind != "probe":
        x = layers.Dropout(dropout, seed=_drawn(seeds) if dropout else None, name="dropout")(x)
    body = keras.Model(vector, _dense(classes, "logits", seeds)(x), name="body")
    maps = keras.Input(map_shape, name="maps")
    probabilities = layers.Softmax(name="probabilities")(body(stem(maps)))
    return keras.Model(maps, probabilities, name="head")


def _dense(units: int, name: str, seeds: random.Random, activation: str | None = None) -> Any:
    kernel = keras.initializers.GlorotUniform(_drawn(seeds))
    return layers.Dense(units, activation, kernel_initializer=kernel, name=name)


def _drawn(seeds: random.Random) -> int:
    return seeds.randint(1, 10**9)


def build_logistic(channels: int, fit: Fit, temperature: float) -> Any:
    """Return a logistic regression as a Keras model: maps of values and squares (N, h, w, 2 channels), see
    `graph.moments`, to probabilities (N, classes).

    Height and width are open: means over the map can be given as a map of one cell. After `stem` and `body`, the layer
    `temperature` divides the logits.
    """
    maps = keras.Input((None, None, 2 * channels), name="map")
    means = layers.GlobalAveragePooling2D(name="pool")(maps)
    mean, squared = means[:, :channels], means[:, channels:]
    variance = keras.ops.maximum(squared - keras.ops.square(mean), 0.0)
    vectors = layers.Concatenate(name="statistics")([mean, keras.ops.sqrt(variance + graph.LEAST_VARIANCE)])
    stem = keras.Model(maps, vectors, name="stem")
    vector = keras.Input((2 * channels,), name="vector")
    standardise, logits = layers.Normalization(name="standardise"), layers.Dense(fit.model.bias.size, name="logits")
    body = keras.Model(vector, logits(standardise(vector)), name="body")
    standardise.set_weights([fit.standardisation.mean, fit.standardisation.scale**2, np.array(0)])
    standardise.finalize_state()
    logits.set_weights([fit.model.kernel, fit.model.bias])
    inputs = keras.Input((None, None, 2 * channels), name="maps")
    scaled = layers.Rescaling(1 / temperature, name="temperature")(body(stem(inputs)))
    return keras.Model(inputs, layers.Softmax(name="probabilities")(scaled), name="head")


def standardise(head: Any, vectors: FeatureVectors, seed: int = 0) -> None:
    """Set the mean and the variance of a head that standardises, from at most `_SAMPLE` training rows at random."""
    body = head.get_layer("body")
    if "standardise" in [layer.name for layer in body.layers]:
        body.get_layer("standardise").adapt(vectors.sample(_SAMPLE, seed))


def _stem(kind: str, map_shape: tuple[int, int, int]) -> Any:
    maps = keras.Input(map_shape, name="map")
    if kind != "tutorial":
        return keras.Model(maps, layers.GlobalAveragePooling2D(name="pool")(maps), name="stem")
    if min(map_shape[:2]) < 2:
        raise UserError(
            "head 'tutorial' pools 2 x 2 cells, but this map has {height} x {width}. Choose a larger "
            "input size or a shallower tap.",
            height=map_shape[0],
            width=map_shape[1],
        )
    pooled = layers.AveragePooling2D((2, 2), name="pool")(maps)
    return keras.Model(maps, layers.Flatten(name="flatten")(pooled), name="stem")
