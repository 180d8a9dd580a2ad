"""Train CXRTiny on phantoms and write its weights as package data. About 10 minutes on two cores.

    python scripts/train_cxrtiny.py

The network learns, for every cell of its last map, how much of the cell is lung, hazy lesion and dense
lesion (binary cross-entropy against area fractions), while an L1 penalty keeps the map at 0 where nothing
is to be said. It never learns the class of a whole picture: a first version did, and found the class in the
spine and under the diaphragm, where a deep network can carry anything; a Grad-CAM on it then pointed into
a lesion in 4 % of the pictures. The phantoms come from a stream of seeds of their own.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any

import cv2
import numpy as np

from cxrcore.data.classes import COVID, OTHER
from cxrcore.data.phantom.images import BACKBONE_STREAM, PhantomSpec, generate, specs
from cxrcore.features import cxrtiny

SIZE, CELLS, SEED, SPARSITY = 128, 16, 2026, 0.02


def example(spec: PhantomSpec, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels uint8 (SIZE, SIZE) and area fractions (CELLS, CELLS, 3)."""
    phantom = generate(spec, seed, stream=BACKBONE_STREAM)
    pixels = cv2.resize(phantom.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    lung, lesion = (
        cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        for mask in (phantom.lungs, phantom.lesions)
    )
    hazy, dense = (lesion * (spec.disease == disease) for disease in (COVID, OTHER))
    return pixels, np.stack([lung, hazy, dense], axis=-1)


def dataset(patients: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stacked examples of `patients` patients a class, two images each."""
    series = list(specs(patients, 2))
    with ProcessPoolExecutor() as pool:
        columns = zip(*pool.map(example, series, repeat(seed), chunksize=64), strict=True)
        pixels, areas = (np.stack(column) for column in columns)
    return pixels, areas


def augmented(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return float32 (N, SIZE, SIZE, 3) in -1 to 1 with random gain, offset.

    Real images meet the network with other exposures and collimation than phantoms have.
    """
    gain = rng.uniform(0.7, 1.2, (len(pixels), 1, 1, 1)).astype(np.float32)
    offset = rng.uniform(-0.15, 0.15, (len(pixels), 1, 1, 1)).astype(np.float32)
    image = np.repeat(pixels[..., None].astype(np.float32) / 127.5 - 1, 3, axis=-1)
    disturbed: np.ndarray = np.clip(image * gain + offset, -1, 1)
    return disturbed


def dice(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return the Dice overlap of lung, hazy and dense lesion: 2 |A and B| / (|A| + |B|) at one half."""
    a, b = found > 0.5, truth > 0.5
    overlap = 2 * (a & b).sum(axis=(0, 1, 2)) / (a.sum(axis=(0, 1, 2)) + b.sum(axis=(0, 1, 2)))
    return [round(float(value), 3) for value in overlap]


def learner() -> tuple[Any, Any]:
    """Return the training model and the backbone inside it."""
    import keras
    from keras import layers

    backbone = cxrtiny.build((SIZE, SIZE, 3))
    cells = layers.Conv2D(3, 1, activation="sigmoid", name="areas")(backbone.output)
    return keras.Model(backbone.input, {"areas": cells, "map": backbone.output}), backbone


def main() -> None:
    """Train, report on fresh phantoms and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=1000, help="patients a class, two images each")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    pixels, areas = dataset(arguments.patients, SEED)
    check_pixels, check_areas = dataset(100, SEED + 1)
    model, backbone = learner()
    steps = arguments.epochs * -(-len(pixels) // 32)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        {"areas": "binary_crossentropy", "map": "mean_absolute_error"},
        loss_weights={"areas": 1.0, "map": SPARSITY},
    )
    check = check_pixels[..., None].repeat(3, -1).astype(np.float32) / 127.5 - 1
    silence = np.zeros((1, *backbone.output_shape[1:]), np.float32)
    for epoch in range(arguments.epochs):
        quiet = np.broadcast_to(silence, (len(pixels), *silence.shape[1:]))
        model.fit(augmented(pixels, rng), {"areas": areas, "map": quiet}, batch_size=32, verbose=0)
        found = model.predict(check, verbose=0)
        print(epoch + 1, dice(found["areas"], check_areas), float(found["map"].mean()), flush=True)
    backbone.save_weights(cxrtiny.BUNDLED_WEIGHTS)
    print(f"{cxrtiny.BUNDLED_WEIGHTS.stat().st_size / 1e6:.2f} MB, {backbone.count_params():,} parameters")


if __name__ == "__main__":
    main()
