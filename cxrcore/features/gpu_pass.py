"""The frozen pass on a GPU: as many images at once as its memory allows, and in mixed precision.

In mixed precision, a backbone computes in float16 with weights in float32 (Micikevicius et al. 2018, arXiv:1710.03740).
Preprocessing, means and squares stay in float32. XLA is not used: it would compile each size of a pass anew.
"""

from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np

from cxrcore import logs
from cxrcore.errors import UserError
from cxrcore.features import gpus, openvino
from cxrcore.features.key import FeatureKey
from cxrcore.progress import Progress, ignore

# Largest difference of an activation, or of a mean, from that in float32, as a share of the largest of its tap. Float16
# rounds to 5e-4 of a value; through all layers this becomes 0.0025 with CXRTiny, 0.0014 with VGG16 and 0.0053 with
# Xception, but 0.08 with MobileNetV2 (`python -m benchmarks.half_precision --mixed`), which so computes in float32.
TOLERANCE = 0.01
FEWEST, MOST = 8, 256  # images in one pass; with more, reading the files takes longer than the pass

_images: dict[tuple[str, int], int] = {}  # in one pass, by backbone and input size


def find(progress: Progress = ignore) -> None:
    """Let TensorFlow look for GPUs where some are expected, before the first key of features is made."""
    if gpus.are_expected():
        from cxrcore.features.keras_setup import tf

        found = gpus.machine()
        logs.LOGGER.info("TensorFlow %s uses %d GPUs", tf.__version__, len(found.gpus) if found else 0)


def difference(maps: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference of maps from those expected, as a share of the largest of these; infinite where a
    value is no finite number.
    """
    found = np.abs(maps.astype(np.float32) - expected).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny)
    return float(found) if np.isfinite(found) else np.inf


def in_mixed_precision(model: Any) -> Any:
    """Return a copy of a frozen Keras model whose layer `backbone` computes in mixed precision; both without XLA."""
    from cxrcore.features.keras_setup import keras

    def mixed(layer: Any) -> Any:
        return layer.__class__.from_config(layer.get_config() | {"dtype": gpus.MIXED})

    def copied(layer: Any) -> Any:
        if layer.name == "backbone":
            return keras.models.clone_model(layer, clone_function=mixed)
        return layer.__class__.from_config(layer.get_config())

    made = keras.models.clone_model(model, clone_function=copied)
    made.set_weights(model.get_weights())
    model.jit_compile = made.jit_compile = False
    return made


def fitted(model: Any, key: FeatureKey) -> Any:
    """Return a Keras model of `key` with passes as large as the memory of this process's GPU allows; the model itself
    where there is none, or where OpenVINO computes.
    """
    if not gpus.are_in_use() or key.engine == openvino.NAME:
        return model
    model.jit_compile = False
    place = key.backbone, key.size
    if place not in _images:
        _images[place] = _most_images(model)
        logs.LOGGER.info("%s at %d pixels: %d images in one pass on the GPU", *place, _images[place])
    return LargePasses(model, _images[place])


class LargePasses:
    """A Keras model on a GPU: `images` images in one pass, and one pass at a time, as two need twice the memory."""

    def __init__(self, model: Any, images: int) -> None:
        self.images = images
        self._model, self._lock = model, Lock()

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Return the outputs of one pass, float32. Threads may ask at once.

        Raises:
            UserError: the memory does not suffice for one image.
        """
        with self._lock:
            return np.concatenate([*self._parts(pixels)])

    def _parts(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the outputs; in halves where the memory does not suffice any more, as other programs may use it."""
        if (found := _outputs(self._model, pixels)) is not None:
            yield found
        elif len(pixels) == 1:
            raise UserError("The memory of the GPU does not suffice for one image. Other programs may be using it.")
        else:
            half = len(pixels) // 2
            yield from self._parts(pixels[:half])
            yield from self._parts(pixels[half:])


def _most_images(model: Any) -> int:
    """Return how many images fit into one pass: twice as many as long as they do, at most `MOST`."""
    images = FEWEST
    while images < MOST and _outputs(model, np.zeros((2 * images, *model.input_shape[1:]), np.uint8)) is not None:
        images *= 2
    return images


def _outputs(model: Any, pixels: np.ndarray) -> np.ndarray | None:
    """Return a model's outputs, float32, None where the memory of the GPU does not suffice."""
    from cxrcore.features.keras_setup import tf

    try:
        return np.asarray(model.predict_on_batch(pixels), np.float32)
    except tf.errors.ResourceExhaustedError:
        return None
