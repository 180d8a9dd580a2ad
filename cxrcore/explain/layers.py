"""Which layers of a run can be explained; needs no TensorFlow."""

from collections.abc import Mapping
from typing import Any

from cxrcore.features import backbones

POOLED = "pooled"  # the head's pooled map: the layer that the tutorials explain
FUSED = "fused"  # all taps together


def taps(config: Mapping[str, Any]) -> list[str]:
    """Return the taps of a run with this config, from the one whose map is kept to the shallowest."""
    every = backbones.get(config["backbone"]).taps
    return [*reversed(every[: every.index(config["tap"]) + 1])]


def choices(config: Mapping[str, Any]) -> list[str]:
    """Return the layers of a run with this config, the kept map first: taps deep to shallow, `FUSED`, `POOLED`.

    Only the tutorials' head has a pooled map of more than one cell.
    """
    found = taps(config)
    fused = [FUSED] if len(found) > 1 else []
    return [*found, *fused, *([POOLED] if config["head"] == "tutorial" else [])]
