"""The model as TensorFlow Lite, for devices without TensorFlow; checked to predict as the Keras model does."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cxrcore.errors import UserError
from cxrcore.features import extract
from cxrcore.runs import Run

TOLERANCE = 1e-4
_CHECKED = 8


def convert(run: Run) -> bytes:
    """Return the run's model as a .tflite file: raw pixels (1, H, W, 3), 0 to 255, to probabilities (1, classes).

    Raises:
        UserError: the run has no model, it transforms its images first, which the file could not do, or the
            probabilities of an image differ by more than `TOLERANCE`.
    """
    if run.config.image_transform:
        raise UserError(
            "This run transforms its images before the network sees them, which a TensorFlow Lite file cannot do: not "
            "exported."
        )
    from cxrcore.features.keras_setup import tf
    from cxrcore.inference.classifier import Classifier  # imports TensorFlow

    classifier = Classifier(run)
    with contextlib.redirect_stdout(io.StringIO()):  # the converter prints where it keeps its temporary files
        content = bytes(tf.lite.TFLiteConverter.from_keras_model(classifier.model).convert())
    for pixels in _test_pixels(run, classifier.size):
        difference = float(np.abs(probabilities(content, pixels) - classifier.probabilities(pixels)).max())
        if not difference <= TOLERANCE:  # true for NaN, too
            raise UserError(
                "The probabilities of the TensorFlow Lite model differ from Keras's by {difference:.2g}, more than "
                "{tolerance:g}: not exported.",
                difference=difference,
                tolerance=TOLERANCE,
            )
    return content


def _test_pixels(run: Run, size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield images to compare the two models on: noise, and the first test images if they still exist."""
    yield np.random.default_rng(0).integers(0, 256, (_CHECKED, size, size, 3)).astype(np.uint8)
    rows = run.predictions("test").head(_CHECKED)
    with contextlib.suppress(UserError):
        yield from extract.batches([Path(path) for path in rows["path"]], size, list(rows["sha256"]))


def probabilities(content: bytes, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the probabilities, float32 (n, classes), that a .tflite file gives for raw pixels (n, H, W, 3)."""
    from cxrcore.features.keras_setup import tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces a successor in another package
        interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for image in pixels:
        interpreter.set_tensor(inputs["index"], image[None].astype(inputs["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(outputs["index"])[0].copy())
    return np.stack(found)
