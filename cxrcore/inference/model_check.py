"""Refusal of `.keras` files that hold anything but the layers that this program saves: loading must run no code."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from cxrcore.errors import UserError
from cxrcore.features import hdf5_check
from cxrcore.files import parse_json

if TYPE_CHECKING:
    import keras

MOST_VALUES = 2**27  # of a layer for one image: VGG16 has 2**26 at 1,024 pixels
_FILES = {"metadata.json": 2**16, "config.json": 16 * 2**20, "model.weights.h5": hdf5_check.MAX_BYTES}  # most bytes
_LAYERS = [
    "Activation",
    "Add",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "EinsumDense",
    "Flatten",
    "GlobalAveragePooling2D",
    "InputLayer",
    "MaxPooling2D",
    "Multiply",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv2D",
    "Softmax",
    "ZeroPadding2D",
]
_INITIALISERS = ("GlorotUniform", "Ones", "VarianceScaling", "Zeros")
_OPERATIONS = ("Add", "Flip", "GetItem", "Maximum", "Sqrt", "Square", "Subtract")
# Module, class and registered name of what the heads and backbones are made of.
_KNOWN: set[tuple[str | None, str, str | None]] = {
    *(("keras.layers", name, None) for name in _LAYERS),
    *(("keras.initializers", name, None) for name in _INITIALISERS),
    *(("keras.src.ops.numpy", name, name) for name in _OPERATIONS),
    ("keras", "DTypePolicy", None),
    ("keras.src.models.functional", "Functional", "Functional"),
    *((None, name, None) for name in ("__keras_tensor__", "__slice__", "__tuple__", "__ellipsis__")),
}


def check_sizes(model: "keras.Model") -> None:
    """Raise `UserError` if a layer of a loaded model gives over `MOST_VALUES` numbers for an image, or an unknown
    number: a small file may ask for more memory than the machine has.
    """
    from cxrcore.features.keras_setup import keras

    for operation in model.operations:
        if isinstance(operation, keras.Model):
            check_sizes(operation)
        for output in keras.tree.flatten(operation.output):
            shape = tuple(output.shape[1:])
            if None in shape or math.prod(shape) > MOST_VALUES:
                raise UserError("the layer {name!r} gives {shape} numbers", name=operation.name, shape=str(shape))


def check(path: Path) -> None:
    """Check a `.keras` file without loading it.

    Raises:
        UserError: it has other files, is too large, or holds a class that this program does not save, such as a Lambda
            layer or a custom object.
        ValueError, OSError, KeyError, BadZipFile: it is damaged.
    """
    with ZipFile(path) as archive:
        entries = archive.infolist()
        if sorted(entry.filename for entry in entries) != sorted(_FILES):
            raise UserError(
                "{path} is refused: expected the files {expected}, each once.", path=path, expected=", ".join(_FILES)
            )
        for entry in entries:
            if entry.file_size > _FILES[entry.filename]:
                raise UserError("{path} is refused: {name} is too large.", path=path, name=entry.filename)
        _check_classes(parse_json(archive.read("config.json")), path)
        try:
            hdf5_check.check(io.BytesIO(archive.read("model.weights.h5")))
        except UserError as error:
            raise UserError("{path} is refused: {reason}.", path=path, reason=error.message) from error


def _check_classes(config: Any, path: Path) -> None:
    values = [config]
    while values:
        value = values.pop()
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values += value.values()
            if "class_name" in value:
                _check_class(value, path)


def _check_class(value: dict[str, Any], path: Path) -> None:
    found = (value.get("module"), value["class_name"], value.get("registered_name"))
    if not all(isinstance(part, str | None) for part in found) or found not in _KNOWN:
        raise UserError(
            "{path} is refused: it holds {name!r}, which this program does not save and does not load.",
            path=path,
            name=".".join(str(part) for part in found[:2] if part),
        )
