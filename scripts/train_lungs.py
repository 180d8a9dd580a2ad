"""Train the lung segmenter on phantoms and write its weights as package data. About 20 minutes on two cores.

    python scripts/train_lungs.py

Phantoms of a wide range of anatomy and disease are drawn once. In every epoch each is bent, turned, stretched and
cropped, its lungs are clouded, and it is given the chest wall, collar bones, breasts, shoulder blades, bright lines and
blocks (tubes, letters), dark gas below the diaphragm, and another exposure; some are turned so that no lungs are to be
found. No image of a person is used. The lungs include the lung behind the heart.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cxrcore.data.classes import COVID, NORMAL, OTHER
from cxrcore.data.phantom import lesions
from cxrcore.data.phantom.anatomy import Anatomy
from cxrcore.data.phantom.draw import Patient, draw
from cxrcore.data.phantom.shapes import Opacity
from cxrcore.features import lung_segmenter

SIZE, SEED = lung_segmenter.SIZE, 2027
_GROUP = 32  # examples that a process disturbs at a time
# The share of the phantoms with each disease.
_DISEASES = {
    COVID: 0.3,
    NORMAL: 0.3,
    OTHER: 0.1,
    "EFFUSION": 0.1,
    "PNEUMOTHORAX": 0.03,
    "FIBROSIS": 0.1,
    "CARDIOMEGALY": 0.07,
}
PHANTOMS, EPOCHS = 2400, 16
_NO_CHEST = 0.05  # the share of the examples without lungs
_CHECKED = 200  # phantoms that are not trained on

Example = tuple[np.ndarray, np.ndarray]
Pair = tuple[float, float]


def example(seed: int) -> Example:
    """Return a phantom, uint8 (2 SIZE, 2 SIZE), and its lungs, uint8 (2 SIZE, 2 SIZE, 2): 0 or 255, the one at the
    image's left first.
    """
    rng = np.random.default_rng([SEED, seed])
    disease = str(rng.choice(list(_DISEASES), p=list(_DISEASES.values())))
    body, shapes = lesions.sample(disease, _anatomy(rng), rng)
    if disease == COVID:
        shapes += [_dense(body, rng) for _ in range(rng.integers(0, 5))]
    phantom = draw(Patient(body, tuple(shapes)), rng)
    left = np.where(phantom.left_lung, phantom.lungs, 0)
    return phantom.image, np.stack([phantom.lungs - left, left], axis=-1)


def _anatomy(rng: np.random.Generator) -> Anatomy:
    """Return a body of a wider range than that of `Anatomy.sample`: of shallow breaths, large hearts, broad chests."""
    width = rng.uniform(0.24, 0.36)
    return replace(
        Anatomy.sample(rng),
        lung_width=width,
        lung_x=width + rng.uniform(0.05, 0.20),
        lung_top=rng.uniform(-0.85, -0.65),
        lung_bottom=rng.uniform(0.6, 0.95),
        diaphragm=rng.uniform(0.15, 0.62),
        dome=rng.uniform(0.05, 0.30),
        heart_width=rng.uniform(0.18, 0.50),
        heart_x=rng.uniform(0.0, 0.25),
        heart_y=rng.uniform(0.1, 0.36),
        raised=(rng.uniform(-0.02, 0.15), rng.uniform(-0.05, 0.12)),
        rib_spacing=rng.uniform(0.13, 0.22),
        rib_slope=rng.uniform(0.1, 0.7),
        clavicle=rng.uniform(-0.75, -0.5),
        tissue=rng.uniform(0.45, 0.72),
    )


def _dense(body: Anatomy, rng: np.random.Generator) -> Opacity:
    """Return an opacity that may cover much of a lung."""
    side = int(rng.choice([-1, 1]))
    return Opacity(
        side=side,
        x=side * (body.lung_x + rng.uniform(-0.6, 0.6) * body.lung_width),
        y=rng.uniform(-0.5, body.diaphragm),
        width=rng.uniform(0.12, 0.35),
        height=rng.uniform(0.12, 0.4),
        edge=rng.uniform(0.1, 0.4),
        density=rng.uniform(0.15, 0.45),
        texture=rng.uniform(0.05, 0.4),
    )


def disturbed(group: list[Example], seed: int) -> Example:
    """Return inputs of the network, float32 (n, SIZE, SIZE, 1), and the lungs, float32 (n, SIZE, SIZE, 2), 0 to 1."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([SEED, seed])
    found = [_disturbed(image, lungs, rng) for image, lungs in group]
    return np.stack([image for image, _ in found]), np.stack([lungs for _, lungs in found])


def _disturbed(image: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> Example:
    picture, sides = _moved(*_bent(*_upright(image.astype(np.float32) / 255, lungs, rng), rng), rng)
    truth = sides.max(axis=-1)
    if rng.random() < _NO_CHEST:
        picture, sides, truth = _no_chest(picture, rng), np.zeros_like(sides), np.zeros_like(truth)
    for disturb in (_gas, _bones, _mediastinum, _tissue, _haze, _disease, _light, _objects, _texture):
        picture = disturb(picture, truth, rng)
    grey = np.clip(255 * np.clip(picture, 0, 1) ** rng.uniform(0.5, 2.0), 0, 255).astype(np.uint8)
    area = cv2.resize(sides, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    centres = (area.sum(axis=0) * np.arange(SIZE)[:, None]).sum(axis=0) / np.maximum(1e-6, area.sum(axis=(0, 1)))
    return lung_segmenter.prepared(grey), area if centres[0] <= centres[1] else area[..., ::-1]


def _no_chest(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image in which no lungs are to be found: a chest upside down or on its side, or clouds."""
    if rng.random() < 0.7:
        return np.ascontiguousarray(np.rot90(picture, int(rng.integers(1, 4))))
    return 0.5 + 0.3 * _cloud(int(rng.integers(2, 60)), picture.shape[0], rng)


def _upright(image: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> Example:
    """Move the apices towards the spine and the bases away from it, so that the inner edges run straight down."""
    side = image.shape[0]
    rows = np.flatnonzero(lungs.any(axis=(1, 2)))
    top, low = (rows[0], rows[-1]) if len(rows) else (0, side)
    xs, ys = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    height = np.clip(2 * (ys - top) / max(1, low - top) - 1, -1.2, 1.2)
    apex, base = rng.uniform(0, 0.10), rng.uniform(0, 0.09)
    shift = side * (apex * np.maximum(-height, 0) ** 1.5 - base * np.maximum(height, 0) ** 1.5)
    return _mapped(image, lungs, xs + np.tanh((xs - side / 2) / (0.1 * side)) * shift, ys)


def _bent(image: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> Example:
    """Shift every place a little, smoothly, so that no outline is that of a formula."""
    side = image.shape[0]
    xs, ys = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    dx, dy = (_cloud(4, side, rng) * rng.uniform(0, 0.035) * side for _ in range(2))
    return _mapped(image, lungs, xs + dx, ys + dy)


def _mapped(image: np.ndarray, lungs: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> Example:
    where = (xs.astype(np.float32), ys.astype(np.float32), cv2.INTER_LINEAR)
    edge = cv2.BORDER_REPLICATE
    return cv2.remap(image, *where, borderMode=edge), cv2.remap(lungs, *where, borderMode=edge)


def _cloud(cells: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return smooth noise, float32 (side, side), standard deviation about 1."""
    return cv2.resize(rng.standard_normal((cells, cells), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)


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


def _bones(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shoulders and collar bones over the apices; the chest wall along the sides of the lungs."""
    inside = (truth > 0.5).astype(np.uint8)
    ys, xs = np.nonzero(inside)
    if not len(ys):
        return picture
    side, top, high = picture.shape[0], int(ys.min()), int(ys.max() - ys.min())
    if rng.random() < 0.7:
        below = np.arange(side, dtype=np.float32)[:, None] - top - rng.uniform(0, 0.3) * high
        shade = rng.uniform(0, 0.4) / (1 + np.exp(below / rng.uniform(2, 0.12 * high + 2)))
        picture = picture + shade * (picture > 0.12)
    if rng.random() < 0.7:
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
        wall = np.exp(-depth / rng.uniform(2, 16)) * cv2.GaussianBlur(truth, (0, 0), 1)
        picture = picture + wall * rng.uniform(0, 0.35)
    if rng.random() < 0.6:
        middle = (xs.min() + xs.max()) / 2
        for sign in (-1, 1):
            y = top + rng.uniform(-0.05, 0.3) * high
            inner = middle + sign * rng.uniform(0.02, 0.06) * side, y + rng.uniform(0, 0.12) * high
            outer = middle + sign * rng.uniform(0.3, 0.5) * side, y - rng.uniform(0, 0.12) * high
            picture = picture + _line(
                side, inner, outer, rng.uniform(0.05, 0.3), rng.uniform(3, 11), rng.uniform(0.8, 3)
            )
    return picture


def _mediastinum(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A bright heart, and large vessels that hide the inner edges of the lungs."""
    ys, xs = np.nonzero(truth > 0.5)
    if not len(ys):
        return picture
    side, low, middle = picture.shape[0], ys.max(), (xs.min() + xs.max()) / 2
    high, wide = ys.max() - ys.min(), xs.max() - xs.min()
    if rng.random() < 0.5:
        sign = 1 if rng.random() < 0.8 else -1
        centre = middle + sign * rng.uniform(0, 0.22) * wide, low - rng.uniform(0.02, 0.35) * high
        size = rng.uniform(0.12, 0.3) * wide, rng.uniform(0.15, 0.35) * high
        picture = picture + _ellipse(
            side, centre, size, rng.uniform(-50, 50), rng.uniform(0.05, 0.35), rng.uniform(1, 6)
        )
    if rng.random() < 0.5:
        top, bottom = low - rng.uniform(0.6, 1.1) * high, low - rng.uniform(-0.1, 0.3) * high
        width = max(1.0, rng.uniform(0.05, 0.3) * wide)
        picture = picture + _line(
            side, (middle, top), (middle, bottom), rng.uniform(0.05, 0.3), width, rng.uniform(2, 8)
        )
    return picture


def _tissue(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Breasts, a bright abdomen, shoulder blades, arms and folds of skin, scattered radiation."""
    ys, xs = np.nonzero(truth > 0.5)
    if not len(ys):
        return picture
    side, top, low, left, right = picture.shape[0], ys.min(), ys.max(), xs.min(), xs.max()
    high, wide = low - top, right - left
    if rng.random() < 0.5:
        for edge, inwards in ((left, 0.18), (right, -0.18)):
            if rng.random() < 0.85:
                centre = edge + (rng.normal(0, 0.08) + inwards) * wide, low - rng.uniform(-0.1, 0.3) * high
                size = rng.uniform(0.15, 0.3) * wide, rng.uniform(0.12, 0.35) * high
                picture = picture + _ellipse(
                    side, centre, size, rng.uniform(-25, 25), rng.uniform(0.05, 0.3), rng.uniform(1, 8)
                )
    if rng.random() < 0.6:
        above = low - np.arange(side, dtype=np.float32)[:, None] - rng.uniform(0, 0.2) * high
        abdomen = rng.uniform(0, 0.5) / (1 + np.exp(above / rng.uniform(2, 20)))
        picture = picture + abdomen * (1 - 0.9 * cv2.GaussianBlur(truth, (0, 0), 2))
    for _ in range(rng.integers(0, 4)):
        edge = left if rng.random() < 0.5 else right
        start = edge + rng.normal(0, 0.15) * wide, top + rng.uniform(-0.3, 0.4) * high
        end = edge + rng.normal(0, 0.2) * wide, top + rng.uniform(0.2, 1.1) * high
        picture = picture + _line(side, start, end, rng.uniform(-0.15, 0.25), rng.uniform(2, 30), rng.uniform(0.8, 5))
    if rng.random() < 0.3:
        picture = picture * rng.uniform(0.3, 0.9) + rng.uniform(0, 0.4)
    return picture


def _disease(picture: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Opacities that hide a part of the lungs, or all of them."""
    if rng.random() < 0.45:
        return picture
    inside = cv2.GaussianBlur(truth, (0, 0), rng.uniform(1.5, 5))
    for _ in range(rng.integers(1, 5)):
        cloud = np.clip(_cloud(int(rng.integers(2, 7)), picture.shape[0], rng) + rng.normal(0, 0.6), 0, 2.5)
        picture = picture + inside * cloud * rng.uniform(0.03, 0.28)
    return picture


def _line(side: int, start: Pair, end: Pair, bright: float, width: float, blur: float) -> np.ndarray:
    """Return a blurred line on black, float32 (side, side)."""
    drawn = np.zeros((side, side), np.float32)
    cv2.line(drawn, _pixel(start), _pixel(end), bright, int(width))
    return cv2.GaussianBlur(drawn, (0, 0), blur)


def _ellipse(side: int, centre: Pair, axes: Pair, turn: float, bright: float, blur: float) -> np.ndarray:
    """Return a blurred ellipse on black, float32 (side, side)."""
    drawn = np.zeros((side, side), np.float32)
    cv2.ellipse(drawn, _pixel(centre), _pixel(axes), turn, 0, 360, bright, -1)
    return cv2.GaussianBlur(drawn, (0, 0), blur)


def _pixel(place: Pair) -> tuple[int, int]:
    return int(place[0]), int(place[1])


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
    rough = cv2.GaussianBlur(rng.standard_normal(picture.shape, np.float32), (0, 0), rng.uniform(1, 4))
    picture = picture + rough / max(float(rough.std()), 1e-6) * rng.uniform(0, 0.05) * rng.random()
    picture = picture + rng.normal(0, rng.uniform(0, 0.03), picture.shape).astype(np.float32)
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2))


def build() -> Any:
    """Return the Keras model: float32 (N, SIZE, SIZE, 1) from `prepared` to the probabilities of the lung at the
    image's left and at its right, (N, SIZE, SIZE, 2).
    """
    from keras import Input, Model, layers

    def block(x: Any, filters: int, name: str) -> Any:
        for number in (1, 2):
            x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{number}")(x)
            x = layers.BatchNormalization(momentum=0.95, name=f"{name}_bn{number}")(x)
            x = layers.ReLU(name=f"{name}_out{number}")(x)
        return x

    image, widths = Input((SIZE, SIZE, 1), name="image"), (24, 48, 96, 160)
    x, skips = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="start")(image), []
    for number, filters in enumerate(widths, 1):
        x = block(x, filters, f"down{number}")
        skips.append(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = block(block(x, 192, "deep1"), 192, "deep2")
    for number, filters in enumerate(widths[::-1], 1):
        x = layers.UpSampling2D(interpolation="bilinear", name=f"up{number}")(x)
        x = layers.Concatenate(name=f"join{number}")([x, skips.pop()])
        x = block(x, filters, f"up{number}")
    x = layers.Conv2D(2, 1, activation="sigmoid", name="lung")(x)
    return Model(image, layers.UpSampling2D(interpolation="bilinear", name="full")(x), name="lungs")


def loss(true: Any, found: Any) -> Any:
    """Return cross-entropy plus 1 - Dice, over a batch."""
    from keras import losses, ops

    overlap = 2 * ops.sum(true * found) / (ops.sum(true) + ops.sum(found))
    return losses.binary_crossentropy(ops.ravel(true), ops.ravel(found)) + 1 - overlap


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean Dice overlap 2 |A and B| / (|A| + |B|) of masks (n, h, w, 2), without pairs of empty ones."""
    overlap, both = ((found & truth).sum(axis=(1, 2, 3)), found.sum(axis=(1, 2, 3)) + truth.sum(axis=(1, 2, 3)))
    return float(np.mean(2 * overlap[both > 0] / both[both > 0]))


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
    """Train, report on phantoms that were not trained on, and save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--phantoms", type=int, default=PHANTOMS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    import keras

    keras.utils.set_random_seed(SEED)
    model = build()
    steps = arguments.epochs * -(-arguments.phantoms // 16)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)), loss)
    with ProcessPoolExecutor() as pool:
        examples = list(pool.map(example, range(arguments.phantoms + _CHECKED), chunksize=_GROUP))
        learned, checked = examples[_CHECKED:], examples[:_CHECKED]
        groups = [learned[start : start + _GROUP] for start in range(0, len(learned), _GROUP)]
        held_out, truth = disturbed(checked, 0)

        def begin(epoch: int) -> list[Any]:
            return [pool.submit(disturbed, group, 1 + epoch * len(groups) + k) for k, group in enumerate(groups)]

        following = begin(0)
        for epoch in range(arguments.epochs):
            images, lungs = map(np.concatenate, zip(*(future.result() for future in following), strict=True))
            following = begin(epoch + 1) if epoch + 1 < arguments.epochs else []
            model.fit(images, lungs, batch_size=16, verbose=0)
            found = dice(model.predict(held_out, verbose=0) > 0.5, truth > 0.5)
            print(f"epoch {epoch + 1}: Dice {found:.3f} on disturbed phantoms", flush=True)
            save(model, lung_segmenter.NETWORK)
    print(f"{lung_segmenter.NETWORK.stat().st_size / 1e6:.2f} MB, {model.count_params():,} parameters")


if __name__ == "__main__":
    main()
