"""Train the lung segmenter on phantoms and write its weights as package data. About 15 minutes on two cores.

    python scripts/train_lungs.py

A phantom is cleaner than any patient: each is turned, stretched, cropped, hazed, given bright lines and blocks (tubes,
letters, arms), dark gas below the diaphragm and another exposure, drawn again in every epoch. The phantoms come from
the stream of seeds of the backbone, which no dataset uses.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cxrcore.data.phantom.images import BACKBONE_STREAM, PhantomSpec, generate, specs
from cxrcore.features import lung_segmenter

SIZE, SEED = lung_segmenter.SIZE, 2027


def example(spec: PhantomSpec, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a phantom and its lung mask, uint8 (2 SIZE, 2 SIZE) each."""
    phantom = generate(spec, seed, stream=BACKBONE_STREAM)
    return phantom.image, phantom.lungs


def dataset(patients: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the examples of `patients` patients a class, one image each."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(example, specs(patients, 1), repeat(seed), chunksize=64))


def disturbed(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the input of the network and the mask, float32 (SIZE, SIZE, 1) each."""
    picture, truth = _moved(image.astype(np.float32) / 255, mask, rng)
    for disturb in (_gas, _haze, _light, _objects, _texture):
        picture = disturb(picture, truth, rng)
    grey = np.clip(255 * np.clip(picture, 0, 1) ** rng.uniform(0.5, 2.0), 0, 255).astype(np.uint8)
    area = cv2.resize(truth, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return lung_segmenter.prepared(grey), area[..., None]


def _moved(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turn, stretch, shear, shift and mirror; what comes in from outside repeats the edge or is black."""
    side = image.shape[0]
    angle = np.deg2rad(rng.normal(0, 6))
    wide, high = rng.uniform(0.8, 1.45), rng.uniform(0.75, 1.35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[wide * rng.choice([-1, 1]), rng.normal(0, 0.05)], [0, high]])
    centre = np.array([side / 2, side * 0.45])
    goal = np.array([side / 2, side / 2]) + rng.normal(0, 0.06, 2) * side
    affine = np.column_stack([matrix, goal - matrix @ centre]).astype(np.float32)
    border = cv2.BORDER_REPLICATE if rng.random() < 0.6 else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(image, affine, (side, side), borderMode=border)
    return moved, cv2.warpAffine(mask.astype(np.float32) / 255, affine, (side, side))


def _gas(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dark bubbles below the diaphragm and an airway above: dark, and no lung."""
    low = np.flatnonzero(truth.any(axis=1))
    if not len(low):
        return picture
    side, shadow = picture.shape[0], np.zeros_like(picture)
    for _ in range(rng.integers(0, 4)):
        place = (int(rng.uniform(0.2, 0.8) * side), int(min(side, low[-1] + rng.uniform(8, 50))))
        size = (int(rng.uniform(5, 26)), int(rng.uniform(5, 20)))
        cv2.ellipse(shadow, place, size, rng.uniform(0, 180), 0, 360, rng.uniform(0.1, 0.5), -1)
    if rng.random() < 0.6:
        middle = side // 2 + int(rng.normal(0, 8))
        cv2.line(shadow, (middle, 0), (middle, int(low[0] + rng.uniform(10, 50))), 0.15, int(rng.uniform(4, 12)))
    return picture - cv2.GaussianBlur(shadow, (0, 0), 2) * (truth < 0.5)


def _haze(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the lungs, or a part of one, nearly as bright as what is around them; draw them unevenly."""
    inside = cv2.GaussianBlur(truth, (0, 0), 3)
    picture = picture + inside * rng.uniform(-0.1, 0.25)
    if rng.random() < 0.5:
        side = picture.shape[0]
        patch = np.zeros_like(picture)
        place = (int(rng.uniform(0.15, 0.85) * side), int(rng.uniform(0.3, 0.8) * side))
        size = (int(rng.uniform(10, 45)), int(rng.uniform(10, 60)))
        cv2.ellipse(patch, place, size, rng.uniform(0, 180), 0, 360, rng.uniform(0.1, 0.45), -1)
        picture = picture + inside * cv2.GaussianBlur(patch, (0, 0), rng.uniform(4, 14))
    return picture


def _light(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An uneven exposure: a smooth field over the whole film, or a bright surround."""
    field = cv2.resize(rng.normal(0, 0.12, (3, 3)).astype(np.float32), picture.shape, interpolation=cv2.INTER_CUBIC)
    picture = picture * rng.uniform(0.6, 1.1) + field
    if rng.random() < 0.4:  # obese patients, arms at the side, a film without black around the body
        around = 1 - cv2.GaussianBlur((picture > 0.15).astype(np.float32), (0, 0), 6)
        picture = picture + around * rng.uniform(0.2, 0.7)
    return picture


def _objects(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bright lines, blocks, letters and dark frames."""
    side, drawn = picture.shape[0], np.ascontiguousarray(picture, np.float32)
    for _ in range(rng.integers(0, 5)):
        a, b = rng.integers(0, side, 2), rng.integers(0, side, 2)
        cv2.line(drawn, tuple(map(int, a)), tuple(map(int, b)), float(rng.uniform(0.6, 1)), int(rng.integers(1, 4)))
    for _ in range(rng.integers(0, 3)):
        place, letter = tuple(map(int, rng.integers(0, side, 2))), np.zeros(drawn.shape, np.uint8)
        cv2.putText(letter, str(rng.choice(["R", "L", "AP", "D"])), place, 0, rng.uniform(0.4, 1), 255, 2)
        drawn[letter > 127] = rng.uniform(0, 1)
    if rng.random() < 0.3:
        edge = int(rng.uniform(0.02, 0.1) * side)
        cv2.rectangle(drawn, (0, 0), (side - 1, side - 1), float(rng.choice([0.0, 1.0])), edge)
    return drawn


def _texture(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vessels and ribs of another contrast, grain, and blur."""
    rough = cv2.GaussianBlur(rng.normal(0, 1, picture.shape).astype(np.float32), (0, 0), rng.uniform(1.5, 6))
    picture = picture + rough / max(float(rough.std()), 1e-6) * rng.uniform(0, 0.08)
    picture = picture + rng.normal(0, rng.uniform(0, 0.04), picture.shape).astype(np.float32)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2))


def build() -> Any:
    """Return the Keras model: float32 (N, SIZE, SIZE, 1) from `prepared` to lung probabilities of the same shape."""
    from keras import Input, Model, layers

    def block(x: Any, filters: int, name: str) -> Any:
        for number in (1, 2):
            x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{number}")(x)
            x = layers.BatchNormalization(name=f"{name}_bn{number}")(x)
            x = layers.ReLU(name=f"{name}_out{number}")(x)
        return x

    image = Input((SIZE, SIZE, 1), name="image")
    x, skips = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="start")(image), []
    for number, filters in enumerate((24, 48, 96), 1):
        x = block(x, filters, f"down{number}")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = block(block(x, 128, "deep1"), 128, "deep2")
    for number, filters in enumerate((96, 48, 24), 1):
        x = layers.UpSampling2D(interpolation="bilinear", name=f"up{number}")(x)
        x = layers.Concatenate(name=f"join{number}")([x, skips.pop()])
        x = block(x, filters, f"up{number}")
    x = layers.Conv2D(1, 1, activation="sigmoid", name="lung")(x)
    return Model(image, layers.UpSampling2D(interpolation="bilinear", name="full")(x), name="lungs")


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean Dice overlap 2 |A and B| / (|A| + |B|) of masks (n, h, w)."""
    overlap = (found & truth).sum(axis=(1, 2))
    return float(np.mean(2 * overlap / (found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)))))


def save(model: Any, path: Path) -> None:
    """Write the model as TensorFlow Lite for one image, its weights as constants: what OpenCV reads."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def run(image: Any) -> Any:
        return model(image, training=False)

    compiled = tf.function(run, input_signature=[tf.TensorSpec((1, SIZE, SIZE, 1))])
    frozen = convert_variables_to_constants_v2(compiled.get_concrete_function())
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())


def main() -> None:
    """Train, report on fresh phantoms and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=900, help="patients a class")
    parser.add_argument("--epochs", type=int, default=14)
    arguments = parser.parse_args()
    import keras

    keras.utils.set_random_seed(SEED)
    cv2.setNumThreads(1)
    rng = np.random.default_rng(SEED)
    learned, checked = dataset(arguments.patients, SEED), dataset(60, SEED + 1)
    plain = np.stack([lung_segmenter.prepared(image) for image, _ in checked])
    truth = np.stack([cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA) > 127 for _, mask in checked])
    hard, hard_truth = map(np.stack, zip(*(disturbed(*pair, rng) for pair in checked), strict=True))
    model = build()
    steps = arguments.epochs * -(-len(learned) // 16)

    def loss(true: Any, found: Any) -> Any:
        overlap = 2 * keras.ops.sum(true * found) / (keras.ops.sum(true) + keras.ops.sum(found))
        return keras.losses.binary_crossentropy(keras.ops.ravel(true), keras.ops.ravel(found)) + 1 - overlap

    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)), loss)
    for epoch in range(arguments.epochs):
        images, masks = map(np.stack, zip(*(disturbed(*pair, rng) for pair in learned), strict=True))
        model.fit(images, masks, batch_size=16, verbose=0)
        clean = dice(model.predict(plain, verbose=0)[..., 0] > 0.5, truth)
        worse = dice(model.predict(hard, verbose=0)[..., 0] > 0.5, hard_truth[..., 0] > 0.5)
        print(f"epoch {epoch + 1}: Dice {clean:.3f} on phantoms, {worse:.3f} on disturbed ones", flush=True)
        save(model, lung_segmenter.NETWORK)
    print(f"{lung_segmenter.NETWORK.stat().st_size / 1e6:.2f} MB, {model.count_params():,} parameters")


if __name__ == "__main__":
    main()
