"""Parts of a backbone: where it can be cut in two, its upper part, and several layers joined into one map."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Added to variances, so that the gradient of the standard deviation is finite for a channel that is 0 everywhere.
LEAST_VARIANCE = 1e-6


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


def moments(shapes: Sequence[tuple[int, int, int]], name: str = "moments") -> Any:
    """Return the model `name`: from the maps of several taps to one map of their values and squared values.

    All maps are resized to the smallest height and width by averaging, which keeps the mean over each map exactly; the
    output is float32 (N, h, w, 2c), c values and then their c squares, in the order of the taps. From the means over
    the map, E[x] and E[x^2], follows the standard deviation of every channel, and the gradient of both is a map.

    Args:
        shapes: height, width and channels of each tap's map.
    """
    from cxrcore.features.keras_setup import keras

    layers = keras.layers
    inputs = [keras.Input(shape, name=f"tap_{k}") for k, shape in enumerate(shapes)]
    height, width = (min(shape[axis] for shape in shapes) for axis in (0, 1))
    values: list[Any] = []
    squares: list[Any] = []
    for k, x in enumerate(inputs):
        for number, found in enumerate((x, layers.Multiply(name=f"square_{k}")([x, x]))):
            for axis, (equation, size) in enumerate((("bhwc,hi->biwc", height), ("bhwc,wj->bhjc", width))):
                length = shapes[k][axis]
                if length != size:
                    shape = (size, found.shape[2]) if axis == 0 else (height, size)
                    layer = layers.EinsumDense(
                        equation, (*shape, shapes[k][2]), trainable=False, name=f"resize_{k}_{number}_{axis}"
                    )
                    found = layer(found)
                    layer.set_weights([area_weights(length, size)])
            (values, squares)[number].append(found)
    joined = [*values, *squares]
    return keras.Model(inputs, layers.Concatenate(name="joined")(joined), name=name)


def summary(maps: np.ndarray, of_moments: bool) -> np.ndarray:
    """Return the mean of each channel of maps (n, h, w, c), float32 (n, c); of maps of values and squares (see
    `moments`) mean and standard deviation, as the logistic head computes them.
    """
    means: np.ndarray = maps.mean(axis=(1, 2), dtype=np.float32)
    if not of_moments:
        return means
    mean, squared = np.split(means, 2, axis=1)
    deviation = np.sqrt(np.maximum(squared - np.square(mean), 0) + np.float32(LEAST_VARIANCE))
    return np.concatenate([mean, deviation], axis=1)


def descriptor(maps: np.ndarray, last: int) -> np.ndarray:
    """Return the mean of each channel of a map's last tap, float32 (n, last), by which images are compared.

    Args:
        maps: float32 (n, h, w, c), of one tap, or of values and squares (see `moments`).
        last: channels of the last tap; c for a map of one tap.
    """
    values = maps if last == maps.shape[-1] else maps[..., : maps.shape[-1] // 2]
    found: np.ndarray = values[..., -last:].mean(axis=(1, 2), dtype=np.float32)
    return found


def last_channels(features: Any) -> int:
    """Return the channels of the last tap of a model that `FeatureKey.build` made."""
    outputs = features.get_layer("backbone").output
    return int((outputs[-1] if isinstance(outputs, list | tuple) else outputs).shape[-1])


def area_weights(length: int, size: int) -> np.ndarray:
    """Return the matrix, float32 (length, size), that resizes a line by averaging: cell k of the result is the mean of
    its share of the line, from k length / size to (k + 1) length / size.
    """
    edges = np.arange(size + 1) * length / size
    cells = np.arange(length)[:, None]
    overlap = np.minimum(cells + 1, edges[None, 1:]) - np.maximum(cells, edges[None, :-1])
    return np.asarray(np.maximum(overlap, 0) * size / length, np.float32)


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
