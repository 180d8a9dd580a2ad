"""Which layers of a run can be explained; needs no TensorFlow."""

from collections.abc import Mapping
from typing import Any

from cxrcore.features import backbones

POOLED = "pooled"  # the head's pooled map: the layer that the tutorials explain
FUSED = "fused"  # all taps together


def choices(config: Mapping[str, Any]) -> list[str]:
    """Return the layers of a run with this config, the kept map first: taps deep to shallow, `FUSED`, `POOLED`.

    Only the tutorials' head has a pooled map of more than one cell.
    """
    taps = backbones.get(config["backbone"]).taps
    upto = taps[: taps.index(config["tap"]) + 1]
    fused = [FUSED] if len(upto) > 1 else []
    return [*reversed(upto), *fused, *([POOLED] if config["head"] == "tutorial" else [])]
