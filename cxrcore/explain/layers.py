"""Which layers of a run can be explained; needs no TensorFlow."""

from cxrcore.config.run_config import RunConfig
from cxrcore.features import backbones

POOLED = "pooled"  # the head's pooled map: the layer that the tutorials explain
FUSED = "fused"  # all taps together


def single_taps(config: RunConfig) -> list[str]:
    """Return the taps of a run, from its deepest to the shallowest of the backbone."""
    every = backbones.get(config.backbone).taps
    return [*reversed(every[: every.index(config.taps[-1]) + 1])]


def taps(config: RunConfig) -> list[str]:
    """Return the same after the run's own, where that is several taps joined by "+"."""
    joined = [config.tap] if len(config.taps) > 1 else []
    return joined + single_taps(config)


def choices(config: RunConfig) -> list[str]:
    """Return the layers of a run that can be explained: taps deep to shallow, `FUSED`, `POOLED`.

    Only the tutorials' head has a pooled map of more than one cell.
    """
    layers = taps(config)
    fused = [FUSED] if len(layers) > 1 else []
    return [*layers, *fused, *([POOLED] if config.head == "tutorial" else [])]
