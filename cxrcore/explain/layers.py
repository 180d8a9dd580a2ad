"""Which layers of a run can be explained; needs no TensorFlow."""

from cxrcore.config.run_config import RunConfig
from cxrcore.features import backbones

POOLED = "pooled"  # the head's pooled map: the layer that the tutorials explain
FUSED = "fused"  # all taps together


def taps(config: RunConfig) -> list[str]:
    """Return the taps of a run, from the run's own, the deepest, to the shallowest."""
    every = backbones.get(config.backbone).taps
    return [*reversed(every[: every.index(config.tap) + 1])]


def choices(config: RunConfig) -> list[str]:
    """Return the layers of a run that can be explained: taps deep to shallow, `FUSED`, `POOLED`.

    Only the tutorials' head has a pooled map of more than one cell.
    """
    layers = taps(config)
    fused = [FUSED] if len(layers) > 1 else []
    return [*layers, *fused, *([POOLED] if config.head == "tutorial" else [])]
