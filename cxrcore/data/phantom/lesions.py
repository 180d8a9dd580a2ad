"""The opacities of a phantom's disease, in body coordinates (see `anatomy`)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cxrcore.data.phantom.anatomy import Anatomy, soft

Disease = Literal["COVID", "NORMAL", "OTHER INFECTION"]


@dataclass(frozen=True)
class Opacity:
    """One lesion: an ellipse with a soft edge. Lengths in half image widths, density 0 to 1."""

    side: int
    x: float
    y: float
    width: float
    height: float
    edge: float
    density: float

    def field(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return its opacity, 0 to 1, before it is cut by the lung's outline."""
        distance = np.sqrt(((x - self.x) / self.width) ** 2 + ((y - self.y) / self.height) ** 2) - 1
        return soft(distance, self.edge)


def sample(disease: Disease, body: Anatomy, rng: np.random.Generator) -> list[Opacity]:
    """Draw the lesions of a patient: COVID-like ones are several, bilateral, peripheral, low and hazy;
    another infection is one dense lobe on one side.
    """
    if disease == "NORMAL":
        return []
    if disease == "OTHER INFECTION":
        return [_lobar(body, rng)]
    count = int(rng.integers(4, 8))
    return [_hazy(body, -1 if number % 2 else 1, rng) for number in range(count)]


def _hazy(body: Anatomy, side: int, rng: np.random.Generator) -> Opacity:
    return Opacity(
        side=side,
        x=side * (body.lung_x + rng.uniform(0.25, 0.75) * body.lung_width),
        y=rng.uniform(-0.10, body.diaphragm - 0.03),
        width=rng.uniform(0.09, 0.17),
        height=rng.uniform(0.10, 0.20),
        edge=rng.uniform(0.18, 0.30),
        density=rng.uniform(0.16, 0.30),
    )


def _lobar(body: Anatomy, rng: np.random.Generator) -> Opacity:
    side = int(rng.choice([-1, 1]))
    upper = rng.random() < 0.5
    return Opacity(
        side=side,
        x=side * (body.lung_x + rng.uniform(-0.05, 0.35) * body.lung_width),
        y=rng.uniform(-0.52, -0.25) if upper else rng.uniform(0.05, body.diaphragm - 0.10),
        width=rng.uniform(0.17, 0.27),
        height=rng.uniform(0.16, 0.25),
        edge=rng.uniform(0.05, 0.11),
        density=rng.uniform(0.36, 0.52),
    )
