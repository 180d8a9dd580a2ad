"""The shapes of lesions in body coordinates (see `anatomy`): what each adds to the radiograph, and where it is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from cxrcore.data.phantom import anatomy
from cxrcore.data.phantom.anatomy import Anatomy, soft


@dataclass(frozen=True)
class Scene:
    """The patient in one image; all arrays float32 (H, W).

    Attributes:
        body: the patient.
        x, y: the body coordinates of the pixels.
        lungs: the soft lung fields by side, as `anatomy.lungs` returns them.
        noise: smooth noise of standard deviation about 1, for the texture of opacities.
    """

    body: Anatomy
    x: np.ndarray
    y: np.ndarray
    lungs: dict[int, np.ndarray]
    noise: np.ndarray


@dataclass(frozen=True)
class Shade:
    """What a lesion does to an image; arrays (H, W).

    Attributes:
        added: brightness, 0 where there is no lesion.
        mask: bool, where the lesion is.
        air: 0 to 1, the share of the lung that is air without vessels; None for none.
        fluid: 0 to 1, the share of the lung that is as dense as the tissue around it; None for none.
    """

    added: np.ndarray
    mask: np.ndarray
    air: np.ndarray | None = None
    fluid: np.ndarray | None = None


class Shape(ABC):
    """One lesion of a patient. Lengths in half image widths, densities in brightness 0 to 1, `side` -1 or 1."""

    @abstractmethod
    def varied(self, rng: np.random.Generator) -> Self:
        """Return the lesion as it is in another image of the patient."""

    @abstractmethod
    def shade(self, scene: Scene) -> Shade:
        """Return what the lesion does to the image, cut by the outline of the lungs."""


@dataclass(frozen=True)
class Opacity(Shape):
    """An ellipse with a soft edge; `texture` is the standard deviation of its density."""

    side: int
    x: float
    y: float
    width: float
    height: float
    edge: float
    density: float
    texture: float = 0.20

    def varied(self, rng: np.random.Generator) -> Self:
        """Move it a little and change its density."""
        return replace(
            self,
            x=self.x + rng.normal(0, 0.015),
            y=self.y + rng.normal(0, 0.015),
            density=self.density * rng.uniform(0.85, 1.15),
        )

    def shade(self, scene: Scene) -> Shade:
        """Return the ellipse within its lung."""
        field = soft(self.distance(scene.x, scene.y) - 1, self.edge) * scene.lungs[self.side]
        return Shade(self.density * field * (1 + self.texture * scene.noise), field > 0.5)

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the distance from the centre, 1 on the outline."""
        value: np.ndarray = np.sqrt(((x - self.x) / self.width) ** 2 + ((y - self.y) / self.height) ** 2)
        return value


@dataclass(frozen=True)
class Lobulated(Opacity):
    """An opacity with an irregular outline, of bulges of about the relative height `bulge`, turned by `phase`."""

    bulge: float = 0.1
    phase: float = 0.0

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the distance from the centre, 1 on the outline."""
        angle = np.arctan2(y - self.y, x - self.x)
        bulges = sum(np.cos(lobes * (angle + shift * self.phase)) for lobes, shift in ((2, 1), (3, -1), (5, 2)))
        value: np.ndarray = super().distance(x, y) / (1 + 0.5 * self.bulge * bulges)
        return value


@dataclass(frozen=True)
class Effusion(Shape):
    """Pleural fluid at a lung's base, which hides the diaphragm; its surface rises by `rise` to the side."""

    side: int
    level: float
    rise: float

    def varied(self, rng: np.random.Generator) -> Self:
        """Change its level a little."""
        return replace(self, level=self.level + rng.normal(0, 0.015))

    def shade(self, scene: Scene) -> Shade:
        """Return the fluid below its curved surface."""
        u, _ = anatomy.lung_coordinates(scene.body, self.side, scene.x, scene.y)
        surface = self.level - self.rise * np.maximum(self.side * u + 0.4, 0) ** 2
        fluid = soft(surface - scene.y, 0.018)
        field = fluid * scene.lungs[self.side]
        return Shade(0.08 * field, field > 0.5, fluid=field)


@dataclass(frozen=True)
class Pneumothorax(Shape):
    """Air between the chest wall and a lung that shrank by the share `collapse` of its width, and half of it down."""

    side: int
    collapse: float

    def varied(self, rng: np.random.Generator) -> Self:
        """Change its size a little."""
        return replace(self, collapse=self.collapse * rng.uniform(0.9, 1.1))

    def shade(self, scene: Scene) -> Shade:
        """Return the air, the thin pleural line at its edge and the lung, which is denser."""
        u, v = anatomy.lung_coordinates(scene.body, self.side, scene.x, scene.y)
        wide, high = 1 - self.collapse, 1 - 0.5 * self.collapse
        edge = anatomy.outline((self.side * u + 1) / wide - 1, 1 - (1 - v) / high)
        lung = scene.lungs[self.side]
        air = soft(-edge, 0.05) * lung
        line = np.exp(-((edge / 0.09) ** 2))
        return Shade((0.14 * line + 0.04 * soft(edge, 0.1)) * lung, air > 0.5, air)


@dataclass(frozen=True)
class Band(Shape):
    """A straight plate at the angle `angle` (radians to the horizontal); `length` and `thickness` are halves."""

    side: int
    x: float
    y: float
    angle: float
    length: float
    thickness: float
    density: float

    def varied(self, rng: np.random.Generator) -> Self:
        """Move it up or down a little and change its density."""
        return replace(self, y=self.y + rng.normal(0, 0.008), density=self.density * rng.uniform(0.85, 1.15))

    def shade(self, scene: Scene) -> Shade:
        """Return the plate within its lung."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        along = np.float32(cos) * (scene.x - self.x) + np.float32(sin) * (scene.y - self.y)
        across = np.float32(cos) * (scene.y - self.y) - np.float32(sin) * (scene.x - self.x)
        field = soft(np.abs(across) - self.thickness, 0.004) * soft(np.abs(along) - self.length, 0.02)
        field = field * scene.lungs[self.side]
        return Shade(self.density * field, field > 0.5)


@dataclass(frozen=True)
class Reticulation(Shape):
    """A net of fine lines below `top` in one lung, thicker to the side and the base; `seed` draws the net."""

    side: int
    top: float
    density: float
    seed: int

    def varied(self, rng: np.random.Generator) -> Self:
        """Change its density."""
        return replace(self, density=self.density * rng.uniform(0.85, 1.15))

    def shade(self, scene: Scene) -> Shade:
        """Return the net within its lung; the mask is the area that it covers."""
        u, _ = anatomy.lung_coordinates(scene.body, self.side, scene.x, scene.y)
        reach = scene.y - self.top + 0.20 * (self.side * u - 0.3)
        field = soft(-reach, 0.08) * scene.lungs[self.side]
        return Shade(self.density * field * (0.25 + self._net(scene.x, scene.y)), field > 0.5)

    def _net(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return 1 on the lines, which are the zeros of a sum of plane waves in random directions, and 0 off them."""
        rng = np.random.default_rng(self.seed)
        total = np.zeros_like(x)
        for angle in (np.arange(9) + rng.uniform(0, 1, 9)) * (np.pi / 9):
            wave = 2 * np.pi / rng.uniform(0.09, 0.13)
            total += np.cos(wave * (np.cos(angle) * x + np.sin(angle) * y) + rng.uniform(0, 2 * np.pi))
        net: np.ndarray = np.exp(-((total / np.float32(0.7)) ** 2))
        return net


@dataclass(frozen=True)
class Heart(Shape):
    """The heart of a patient whose heart is enlarged; it is drawn by `anatomy.chest`, here is where it is."""

    def varied(self, rng: np.random.Generator) -> Self:
        """Return it unchanged."""
        return self

    def shade(self, scene: Scene) -> Shade:
        """Return the area of the heart above the diaphragm."""
        inside = anatomy.heart_distance(scene.body, scene.x, scene.y) < 0
        side = np.where(scene.x < 0, -1, 1)
        for sign in (-1, 1):
            u, _ = anatomy.lung_coordinates(scene.body, sign, scene.x, scene.y)
            floor = anatomy.diaphragm(scene.body, sign) + scene.body.dome * np.minimum(u**2, 1)
            inside &= (side != sign) | (scene.y < floor)
        return Shade(np.zeros_like(scene.x), inside)
