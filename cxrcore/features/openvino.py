"""The same backbone run by OpenVINO, where it is installed: the same weights, faster on Intel and AMD processors.

Its sums are done in another order, so a map differs from Keras's by about 1e-5 of its largest value; what it computes
is therefore kept apart. Source: https://docs.openvino.ai, its TensorFlow frontend and precision hints.
"""

import threading
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from cxrcore import settings
from cxrcore.features import backbones
from cxrcore.features.predict import AT_ONCE

NAME = "openvino"


def engine_for(backbone: str) -> str:
    """Return `NAME` where OpenVINO computes a backbone's maps, else "", which is Keras.

    CXRTiny is always Keras's: it is done before OpenVINO would have read it.
    """
    wanted = settings.use_openvino() and backbones.get(backbone).constructor
    return NAME if wanted and find_spec("openvino") else ""


def compiled(model: Any, engine: str) -> Any:
    """Return `model` as `engine` computes it: a `Compiled` for OpenVINO, else the model itself."""
    return Compiled(model) if engine == NAME and not isinstance(model, Compiled) else model


class Compiled:
    """A Keras model of frozen weights, compiled by OpenVINO in full 32-bit precision for the passes of `forward`."""

    images = 2  # in one pass: 6 % faster than four with Xception and MobileNetV2

    def __init__(self, model: Any) -> None:
        import openvino

        self.input_shape = model.input_shape
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's, on how the converter calls the model
            graph = openvino.convert_model(model)
        graph.reshape([self.images, *model.input_shape[1:]])
        hints = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": str(AT_ONCE)}
        compiled = openvino.compile_model(graph, "CPU", hints)
        self._requests = _Requests(compiled.create_infer_request)

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Return the maps of one pass of `images` images, as the Keras model does. Threads may ask at once."""
        return np.array(self._requests.mine.infer(np.ascontiguousarray(pixels, np.float32))[0])


class _Requests(threading.local):
    """A request to OpenVINO for each thread: one holds one pass at a time, and making one for every pass is slow."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.mine = make()
