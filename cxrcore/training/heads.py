"""Heads: the small network that is trained on the feature map. Every head is a stem, a body and a softmax.

The stem has no weights (pooling), so its output is computed once. The body is trained; it gives logits, because
Grad-CAM explains the class logit.
"""

from typing import Any

from cxrcore.errors import UserError
from cxrcore.features.keras_setup import keras
from cxrcore.training.feature_vectors import FeatureVectors

layers = keras.layers
HIDDEN = {"tutorial": 20, "hidden": 64}  # units of the hidden layer, where a head has one
STANDARDISED = {"hidden", "probe"}  # heads whose inputs have mean 0 and variance 1
_SAMPLE = 20_000  # rows that mean and variance are computed from


def build(kind: str, map_shape: tuple[int, int, int], classes: int, dropout: float) -> Any:
    """Return the head as a Keras model: maps (N, h, w, c) to probabilities (N, classes).

    `gap` takes each channel's mean; `probe` is that, standardised and linear; `hidden` is that with a hidden layer;
    `tutorial` pools 2 x 2 cells and has a hidden layer. The layers are `stem` (maps to vectors), `body` (vectors to
    logits) and `probabilities`.

    Raises:
        UserError: the map is too small to be pooled.
    """
    stem = _stem(kind, map_shape)
    vector = keras.Input(stem.output_shape[1:], name="vector")
    x = vector
    if kind in STANDARDISED:
        x = layers.Normalization(name="standardise")(x)
    if kind in HIDDEN:
        x = layers.Dense(HIDDEN[kind], activation="relu", name="hidden")(x)
    if kind != "probe":
        x = layers.Dropout(dropout, name="dropout")(x)
    body = keras.Model(vector, layers.Dense(classes, name="logits")(x), name="body")
    maps = keras.Input(map_shape, name="maps")
    probabilities = layers.Softmax(name="probabilities")(body(stem(maps)))
    return keras.Model(maps, probabilities, name="head")


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
