"""The tutorials' training in plain Keras: the whole network in every epoch, a gradient model per image."""

from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.model_selection import train_test_split

from cxrcore.features.keras_setup import keras, tf

SIZE, EPOCHS, CLASSES = 237, 80, ("COVID", "NORMAL", "OTHER INFECTION")


def read(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return x float32 (n, SIZE, SIZE, 3) in 0 to 1, and y one-hot (n, 3)."""
    pictures = [np.asarray(Image.open(path).convert("RGB").resize((SIZE, SIZE))) for path in table["path"]]
    y = np.eye(3, dtype=np.float32)[table["label"].map({name: k for k, name in enumerate(CLASSES)})]
    return np.stack(pictures).astype(np.float32) / 255, y


def build(weights_file: Path) -> Any:
    """Return their compiled model on a frozen Xception."""
    base = keras.applications.Xception(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    base.load_weights(weights_file)
    base.trainable = False
    x = keras.layers.AveragePooling2D((2, 2), name="pooled")(base.output)
    x = keras.layers.Dense(20, activation="relu")(keras.layers.Flatten()(x))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Dropout(0.2)(x))
    model = keras.Model(base.input, outputs)
    model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["accuracy"])
    return model


class Parts(NamedTuple):
    """Their random split."""

    train_x: np.ndarray
    test_x: np.ndarray
    train_y: np.ndarray
    test_y: np.ndarray


def split(x: np.ndarray, y: np.ndarray) -> Parts:
    """Return a fifth of the images for the test."""
    return Parts(*train_test_split(x, y, test_size=0.2, random_state=40))


def epoch_seconds(model: Any, parts: Parts) -> float:
    """Return the seconds of one more epoch."""
    start = perf_counter()
    model.fit(parts.train_x, parts.train_y, batch_size=15, validation_split=0.1, verbose=0)
    return perf_counter() - start


def training_seconds(epochs: list[float]) -> float:
    """Return the seconds of 80 epochs by those measured: the first, which compiles, once; the fastest other's rate."""
    return epochs[0] + (EPOCHS - 1) * min(epochs[1:])


def gradcam_seconds(model: Any, images: np.ndarray, measured: int) -> float:
    """Return the seconds of their Grad-CAM over all `images`, scaled from the first `measured`."""
    start = perf_counter()
    for image in images[:measured]:
        _gradcam(model, image[None])
    return (perf_counter() - start) / measured * len(images)


def _gradcam(model: Any, image: np.ndarray) -> np.ndarray:
    predicted = int(model.predict(image, verbose=0).argmax())
    both = keras.Model(model.inputs, [model.get_layer("pooled").output, model.output])
    with tf.GradientTape() as tape:
        maps, probabilities = both(image)
        score = probabilities[:, predicted]
    gradient = tape.gradient(score, maps)
    weights = tf.reduce_mean(gradient, axis=(0, 1, 2))
    heatmap: np.ndarray = np.maximum(np.asarray(tf.reduce_sum(maps[0] * weights, axis=-1)), 0)
    return heatmap
