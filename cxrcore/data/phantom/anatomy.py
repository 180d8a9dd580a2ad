"""The body of a phantom patient, in coordinates x (to the image's right) and y (down), both -1 to 1."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Anatomy:
    """What all images of one patient share. Lengths are in half image widths.

    `raised`: how far the hemidiaphragm of the image's left and of its right stand above `diaphragm`; the liver lifts
    the first one.
    """

    lung_x: float
    lung_width: float
    lung_top: float
    lung_bottom: float
    diaphragm: float
    dome: float
    heart_width: float
    heart_y: float
    rib_spacing: float
    rib_slope: float
    rib_phase: float
    clavicle: float
    tissue: float
    vessel_seed: int
    raised: tuple[float, float] = (0.05, 0.0)
    heart_x: float = 0.10

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Anatomy":
        """Draw a healthy patient."""
        return cls(
            lung_x=rng.uniform(0.37, 0.42),
            lung_width=rng.uniform(0.26, 0.32),
            lung_top=rng.uniform(-0.80, -0.70),
            lung_bottom=rng.uniform(0.72, 0.86),
            diaphragm=rng.uniform(0.40, 0.56),
            dome=rng.uniform(0.10, 0.22),
            heart_width=rng.uniform(0.22, 0.32),
            heart_y=rng.uniform(0.26, 0.34),
            rib_spacing=rng.uniform(0.155, 0.195),
            rib_slope=rng.uniform(0.25, 0.55),
            rib_phase=rng.uniform(0, 1),
            clavicle=rng.uniform(-0.70, -0.62),
            tissue=rng.uniform(0.52, 0.64),
            vessel_seed=int(rng.integers(2**31)),
        )


@dataclass(frozen=True)
class Pose:
    """The position of the patient in one image: rotation (radians), shift and zoom of the patient in the picture."""

    angle: float
    dx: float
    dy: float
    zoom: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> "Pose":
        """Draw a pose within the range of clinical images."""
        return cls(rng.normal(0, 0.035), rng.uniform(-0.06, 0.06), rng.uniform(-0.06, 0.06), rng.uniform(0.9, 1.08))

    def grid(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the body coordinates (x, y) of every pixel, each float32 (size, size)."""
        line = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
        x, y = np.meshgrid(line - np.float32(self.dx), line - np.float32(self.dy))
        cos, sin = np.float32(np.cos(self.angle) / self.zoom), np.float32(np.sin(self.angle) / self.zoom)
        return cos * x + sin * y, cos * y - sin * x


def soft(distance: np.ndarray, width: float) -> np.ndarray:
    """Return a smooth step: 1 where `distance` is well below 0, 0 well above, over about `width`."""
    inside: np.ndarray = expit(distance * np.float32(-1 / width))
    return inside


def lungs(body: Anatomy, x: np.ndarray, y: np.ndarray, behind_heart: bool = False) -> dict[int, np.ndarray]:
    """Return the soft lung fields, keyed -1 (the image's left, the patient's right) and 1; with the lung behind the
    heart only if asked.
    """
    heart = heart_distance(body, x, y)
    fields = {}
    for side in (-1, 1):
        u, v = lung_coordinates(body, side, x, y)
        floor = y - (diaphragm(body, side) + body.dome * u**2)
        fields[side] = soft(outline(u, v), 0.06) * soft(floor, 0.012) * (1 if behind_heart else soft(-heart, 0.05))
    return fields


def lung_coordinates(body: Anatomy, side: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (u, v) of one lung: -1 to 1 from its left to its right edge in the image, and from apex to base."""
    centre = (body.lung_top + body.lung_bottom) / 2
    height = (body.lung_bottom - body.lung_top) / 2
    u = (x - side * body.lung_x) / (body.lung_width * (1 + 0.22 * (y - centre) / height))
    return u, (y - centre) / height


def outline(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return a value below 0 inside a lung that has no diaphragm and no heart."""
    value: np.ndarray = u**2 * np.sqrt(np.abs(u)) + v**2 * np.sqrt(np.abs(v)) - 1
    return value


def diaphragm(body: Anatomy, side: int) -> float:
    """Return the y of the top of a hemidiaphragm."""
    return body.diaphragm - body.raised[side > 0]


def heart_distance(body: Anatomy, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a value below 0 inside the heart; the heart extends further to the image's right."""
    u, v = x - body.heart_x, y - body.heart_y
    across, along = (0.88 * u - 0.47 * v) / body.heart_width, (0.47 * u + 0.88 * v) / 0.38
    return across**2 + along**2 - 1


def skeleton(body: Anatomy, x: np.ndarray, y: np.ndarray, lung: np.ndarray) -> np.ndarray:
    """Return the brightness that ribs, spine and clavicles add."""
    run = np.abs(x)
    phase = (y - body.rib_slope * (run - 0.35) ** 2 * 2 + 0.25 * run) / body.rib_spacing + body.rib_phase
    wave = np.cos(2 * np.pi * phase)
    ribs = (0.075 * soft(0.45 - wave, 0.12) + 0.02 * wave) * soft(run - 0.72, 0.02) * (0.35 + 0.65 * lung)
    spine = 0.16 * soft(run - 0.075, 0.012) * (0.85 + 0.15 * np.cos(2 * np.pi * y / 0.13))
    bone = np.abs(y - body.clavicle + 0.16 * (run - 0.1)) - 0.022
    bones: np.ndarray = ribs + spine + 0.12 * soft(bone, 0.008) * soft(run - 0.62, 0.02) * soft(0.07 - run, 0.02)
    return bones


def chest(body: Anatomy, x: np.ndarray, y: np.ndarray, lung: np.ndarray) -> np.ndarray:
    """Return the radiograph of a healthy chest before lesions and exposure, about 0 to 1."""
    shoulder = np.abs(x) - (0.80 + 0.14 * np.minimum(y + 0.75, 0.9) - 0.9 * np.maximum(-0.62 - y, 0))
    torso = soft(shoulder, 0.02)
    picture = body.tissue * torso * (1 - 0.70 * lung)
    picture += 0.13 * soft(heart_distance(body, x, y), 0.16) + 0.14 * soft(np.abs(x) - 0.13, 0.03) * torso
    picture += 0.12 * soft(body.diaphragm + 0.02 - y, 0.05) * torso * (1 - lung)
    picture -= 0.16 * soft(np.abs(x) - 0.035, 0.01) * soft(y + 0.35, 0.05)  # the air in the trachea
    whole: np.ndarray = picture + skeleton(body, x, y, lung) * torso
    return whole
