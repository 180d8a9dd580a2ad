"""Where in the lungs a heatmap lies, as radiologists name it: the upper, middle and lower zone of each lung."""

from dataclasses import dataclass

import numpy as np

from cxrcore.explain import pointing_game
from cxrcore.features.lung_segmenter import Lungs
from cxrcore.i18n import N_

# The patient's right lung first, each from above.
RIGHT = (N_("right upper zone"), N_("right middle zone"), N_("right lower zone"))
LEFT = (N_("left upper zone"), N_("left middle zone"), N_("left lower zone"))


@dataclass(frozen=True)
class ZoneShares:
    """The share of a heatmap in each zone and outside the lungs, 0 to 1; together 1."""

    zones: dict[str, float]
    outside: float


def masks(lungs: Lungs) -> dict[str, np.ndarray]:
    """Return the zones of two lungs that were found, boolean (SIZE, SIZE): thirds of the height of each lung."""
    found: dict[str, np.ndarray] = {}
    for names, lung in ((RIGHT, lungs.right), (LEFT, lungs.left)):
        rows = np.flatnonzero(lung.any(axis=1))
        zone = np.arange(len(lung)) - rows[0]
        third = np.clip(3 * zone // (rows[-1] + 1 - rows[0]), 0, 2)
        found |= {name: lung & (third == number)[:, None] for number, name in enumerate(names)}
    return found


def shares(heatmap: np.ndarray, lungs: Lungs) -> ZoneShares | None:
    """Return the shares of a heatmap (h, w), at least 0; None for one that is 0 everywhere."""
    zones = masks(lungs)
    found = pointing_game.energy(np.repeat(heatmap[None], len(zones), axis=0), list(zones.values()))
    if np.isnan(found).any():
        return None
    return ZoneShares(dict(zip(zones, map(float, found), strict=True)), max(0.0, 1 - float(found.sum())))
