"""The model as TensorFlow Lite, for devices without TensorFlow; given away only if it answers as Keras does."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cxrcore.errors import UserError
from cxrcore.features import extract
from cxrcore.runs import Run

TOLERANCE = 1e-4
_CHECKED = 8


def convert(run: Run) -> bytes:
    """Return the run's model as a .tflite file: raw pixels (1, H, W, 3), 0 to 255, to probabilities (1, classes).

    Raises:
        UserError: the run has no model, its images are cleaned first, which the file could not do, or the converted
            model differs on a test image by over `TOLERANCE`.
    """
    if run.config.get("cleaning"):
        raise UserError(
            "This run's images are cleaned before the network sees them, which a TensorFlow Lite file does not do: not "
            "given away."
        )
    import tensorflow as tf

    from cxrcore.explain.explainer import Classifier  # only what computes imports TensorFlow

    classifier = Classifier(run)
    with contextlib.redirect_stdout(io.StringIO()):  # the converter prints where it keeps its temporary files
        content = bytes(tf.lite.TFLiteConverter.from_keras_model(classifier.model).convert())
    for pixels in _pictures(run, classifier.size):
        apart = float(np.abs(answers(content, pixels) - classifier.probabilities(pixels)).max())
        if not apart <= TOLERANCE:  # a NaN is no number that is smaller
            raise UserError(
                "The TensorFlow Lite model differs from Keras's by {apart:.2g}, more than {most:g}: not given away.",
                apart=apart, most=TOLERANCE,
            )  # fmt: skip
    return content


def _pictures(run: Run, size: int) -> Iterator[np.ndarray]:
    """Yield what the two models are compared on: noise, and the first test images if they are still there."""
    yield np.random.default_rng(0).integers(0, 256, (_CHECKED, size, size, 3)).astype(np.uint8)
    rows = run.predictions("test").head(_CHECKED)
    with contextlib.suppress(UserError):
        yield from extract.batches([Path(path) for path in rows["path"]], size, list(rows["sha256"]))


def answers(content: bytes, pixels: np.ndarray) -> np.ndarray:
    """Return the probabilities, float32 (n, classes), that a .tflite file gives for raw pixels (n, H, W, 3)."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces a successor in another package
        interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for image in pixels:
        interpreter.set_tensor(given["index"], image[None].astype(given["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer["index"])[0].copy())
    return np.stack(found)
