"""Where a backbone can be cut in two, and its upper part."""

from typing import Any


def cut_tensor(backbone: Any, tap: str) -> Any:
    """Return the tensor at `tap` through which everything passes: the layer's output, or its input where a shortcut
    leads round the layer.

    Raises:
        ValueError: neither is.
    """
    layer = backbone.get_layer(tap)
    for tensor in (layer.output, layer.input):
        if _all_pass(backbone, tensor):
            return tensor
    raise ValueError(f"{tap}: nothing else leads past neither its input nor its output")


def backbone_tail(backbone: Any, tap: str) -> Any:
    """Return the part of a backbone behind the joint at `tap`, as a model that shares its layers."""
    from cxrcore.features.keras_setup import keras

    return keras.Model(cut_tensor(backbone, tap), backbone.output, name="upper")


def _all_pass(backbone: Any, tensor: Any) -> bool:
    """Tell whether every way from the backbone's input to its output leads through `tensor`."""
    wanted, seen = [backbone.output], set()
    while wanted:
        found = wanted.pop()
        if found is tensor or id(found) in seen:
            continue
        seen.add(id(found))
        operation, node = found._keras_history[:2]
        inputs = operation._inbound_nodes[node].input_tensors
        if not inputs:
            return False  # the backbone's input was reached another way
        wanted += inputs
    return True
