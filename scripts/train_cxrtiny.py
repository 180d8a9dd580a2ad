"""Train CXRTiny on phantoms and write its weights as package data. About 15 minutes on two cores.

    python scripts/train_cxrtiny.py

The network learns two things at once: the class of the phantom (cross-entropy on the pooled map) and,
for every cell of its last map, how much of the cell is lung, hazy lesion and dense lesion (binary
cross-entropy against area fractions). The second task ties the channels to places, so that a Grad-CAM on
a head trained later points where the evidence is. The phantoms come from a stream of seeds of their own.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import cv2
import numpy as np

from cxrcore.data.phantom.series import BACKBONE_STREAM, DISEASES, Shot, shots, take
from cxrcore.features import cxrtiny

SIZE, CELLS, SEED = 128, 16, 2026


def example(shot: Shot, seed: int) -> tuple[np.ndarray, int, np.ndarray]:
    """Return pixels uint8 (SIZE, SIZE), the class index and area fractions (CELLS, CELLS, 3)."""
    phantom = take(shot, seed, stream=BACKBONE_STREAM)
    pixels = cv2.resize(phantom.image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    lung, lesion = (
        cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        for mask in (phantom.lungs, phantom.lesions)
    )
    hazy, dense = (lesion * (shot.disease == disease) for disease in ("COVID", "OTHER INFECTION"))
    return pixels, DISEASES.index(shot.disease), np.stack([lung, hazy, dense], axis=-1)


def dataset(patients: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the stacked examples of `patients` patients a class, two images each."""
    series = list(shots(patients, 2))
    with ProcessPoolExecutor() as pool:
        columns = zip(*pool.map(example, series, repeat(seed), chunksize=64), strict=True)
        pixels, labels, areas = (np.stack(column) for column in columns)
    return pixels, labels, areas


def augmented(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return float32 (N, SIZE, SIZE, 3) in -1 to 1 with random gain, offset.

    Real images meet the network with other exposures and collimation than phantoms have.
    """
    gain = rng.uniform(0.7, 1.2, (len(pixels), 1, 1, 1)).astype(np.float32)
    offset = rng.uniform(-0.15, 0.15, (len(pixels), 1, 1, 1)).astype(np.float32)
    image = np.repeat(pixels[..., None].astype(np.float32) / 127.5 - 1, 3, axis=-1)
    return np.clip(image * gain + offset, -1, 1)


def learner():
    """Return the training model and the backbone inside it."""
    import keras
    from keras import layers

    backbone = cxrtiny.build((SIZE, SIZE, 3))
    cells = layers.Conv2D(3, 1, activation="sigmoid", name="areas")(backbone.output)
    pooled = layers.GlobalAveragePooling2D()(backbone.output)
    label = layers.Dense(3, activation="softmax", name="label")(pooled)
    model = keras.Model(backbone.input, {"label": label, "areas": cells})
    return model, backbone


def main() -> None:
    """Train, report on fresh phantoms and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=1500, help="patients a class, two images each")
    parser.add_argument("--epochs", type=int, default=16)
    arguments = parser.parse_args()
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    pixels, labels, areas = dataset(arguments.patients, SEED)
    check_pixels, check_labels, check_areas = dataset(100, SEED + 1)
    model, backbone = learner()
    steps = arguments.epochs * -(-len(pixels) // 32)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        {"label": "sparse_categorical_crossentropy", "areas": "binary_crossentropy"},
        loss_weights={"label": 1.0, "areas": 2.0},
        metrics={"label": "accuracy"},
    )
    check = check_pixels[..., None].repeat(3, -1).astype(np.float32) / 127.5 - 1
    for epoch in range(arguments.epochs):
        history = model.fit(
            augmented(pixels, rng), {"label": labels, "areas": areas}, batch_size=32, verbose=0
        )
        scores = model.evaluate(check, {"label": check_labels, "areas": check_areas}, verbose=0, return_dict=True)
        print(epoch + 1, history.history["loss"][-1], scores, flush=True)
    backbone.save_weights(cxrtiny.BUNDLED_WEIGHTS)
    print(f"{cxrtiny.BUNDLED_WEIGHTS.stat().st_size / 1e6:.2f} MB, {backbone.count_params():,} parameters")


if __name__ == "__main__":
    main()
