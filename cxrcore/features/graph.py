"""Where a backbone can be cut in two, and its upper part."""

from typing import Any


def cut_tensor(backbone: Any, tap: str) -> Any:
    """Return the tensor at `tap` through which everything passes: the layer's output, or its input where a residual
    connection bypasses the layer.

    Raises:
        ValueError: neither is.
    """
    layer = backbone.get_layer(tap)
    for tensor in (layer.output, layer.input):
        if _separates(backbone, tensor):
            return tensor
    raise ValueError(f"{tap}: a connection bypasses both its input and its output")


def backbone_tail(backbone: Any, tap: str) -> Any:
    """Return the part of a backbone after the cut at `tap`, as a model that shares its layers."""
    from cxrcore.features.keras_setup import keras

    return keras.Model(cut_tensor(backbone, tap), backbone.output, name="tail")


def _separates(backbone: Any, tensor: Any) -> bool:
    """Tell whether every path from the backbone's input to its output passes through `tensor`.

    Keras refuses to build a model from `tensor` to the output if a path starts elsewhere.
    """
    from cxrcore.features.keras_setup import keras

    if tensor is backbone.output:
        return True
    try:
        keras.Model(tensor, backbone.output)
    except ValueError:
        return False
    return True
