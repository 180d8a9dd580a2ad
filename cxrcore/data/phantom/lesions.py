"""The diseases of phantoms: what each changes in a body, and the shapes of its lesions."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from cxrcore.data.classes import COVID, NORMAL, OTHER
from cxrcore.data.phantom import anatomy
from cxrcore.data.phantom.anatomy import Anatomy
from cxrcore.data.phantom.shapes import Band, Effusion, Heart, Lobulated, Opacity, Pneumothorax, Reticulation, Shape

Sampler = Callable[[Anatomy, np.random.Generator], tuple[Anatomy, list[Shape]]]


def sample(disease: str, body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """Return a healthy body as `disease` changes it, and the lesions of the patient."""
    return _SAMPLERS[disease](body, rng)


def _normal(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    return body, []


def _covid(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """Several hazy opacities, bilateral, peripheral and low."""
    return body, [_hazy(body, -1 if number % 2 else 1, rng) for number in range(int(rng.integers(4, 8)))]


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


def _other(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """One dense lobe on one side."""
    side = _side(rng)
    upper = rng.random() < 0.5
    lobe = Opacity(
        side=side,
        x=side * (body.lung_x + rng.uniform(-0.05, 0.35) * body.lung_width),
        y=rng.uniform(-0.52, -0.25) if upper else rng.uniform(0.05, body.diaphragm - 0.10),
        width=rng.uniform(0.17, 0.27),
        height=rng.uniform(0.16, 0.25),
        edge=rng.uniform(0.05, 0.11),
        density=rng.uniform(0.36, 0.52),
    )
    return body, [lobe]


def _effusion(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """Fluid at one base that hides the diaphragm; its surface is a meniscus."""
    side = _side(rng)
    level = anatomy.diaphragm(body, side) - rng.uniform(0.10, 0.28)
    return body, [Effusion(side, level, rise=rng.uniform(0.08, 0.14))]


def _nodule(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """One small round spot."""
    radius = rng.uniform(0.055, 0.080)
    side, x, y = _place(body, radius + 0.02, rng)
    return body, [Opacity(side, x, y, radius, radius, 0.08, rng.uniform(0.34, 0.46), texture=0.0)]


def _mass(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """One large opacity with a sharp, lobulated outline."""
    radius = rng.uniform(0.12, 0.16)
    side, x, y = _place(body, radius - 0.02, rng)
    mass = Lobulated(
        side=side,
        x=x,
        y=y,
        width=radius,
        height=radius * rng.uniform(0.9, 1.1),
        edge=0.05,
        density=rng.uniform(0.36, 0.46),
        texture=0.05,
        bulge=rng.uniform(0.04, 0.08),
        phase=rng.uniform(0, 2 * np.pi),
    )
    return body, [mass]


def _cardiomegaly(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """A heart of more than half the width of the chest, mostly to the patient's left."""
    return replace(body, heart_x=0.15, heart_width=rng.uniform(0.42, 0.50)), [Heart()]


def _pneumothorax(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """Air at the apex and the side of one lung."""
    return body, [Pneumothorax(_side(rng), rng.uniform(0.22, 0.40))]


def _atelectasis(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """Plates above one diaphragm, which stands high."""
    side = _side(rng)
    up = rng.uniform(0.08, 0.14)
    left, right = body.raised
    body = replace(body, raised=(left + up, right) if side < 0 else (left, right + up))
    base = anatomy.diaphragm(body, side)
    bands: list[Shape] = [
        Band(
            side=side,
            x=side * (body.lung_x + rng.uniform(0.0, 0.3) * body.lung_width),
            y=base - 0.06 - 0.085 * number + rng.uniform(-0.015, 0.015),
            angle=rng.uniform(-0.25, 0.25),
            length=rng.uniform(0.15, 0.22),
            thickness=rng.uniform(0.013, 0.022),
            density=rng.uniform(0.24, 0.36),
        )
        for number in range(int(rng.integers(2, 4)))
    ]
    return body, bands


def _fibrosis(body: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, list[Shape]]:
    """A net of lines in the lower half of both lungs, which are smaller."""
    up = rng.uniform(0.04, 0.09)
    body = replace(body, raised=(body.raised[0] + up, body.raised[1] + up))
    top = rng.uniform(0.0, 0.12)
    density = rng.uniform(0.20, 0.28)
    return body, [
        Reticulation(side, top + rng.uniform(-0.05, 0.05), density, int(rng.integers(2**31))) for side in (-1, 1)
    ]


def _side(rng: np.random.Generator) -> int:
    return int(rng.choice([-1, 1]))


def _place(body: Anatomy, radius: float, rng: np.random.Generator) -> tuple[int, float, float]:
    """Return a side and a point (x, y) whose circle of `radius` lies within that lung."""
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    while True:
        side = _side(rng)
        x, y = side * (body.lung_x + rng.uniform(-0.4, 0.7) * body.lung_width), rng.uniform(-0.55, body.diaphragm)
        circle = anatomy.lungs(body, x + radius * np.cos(turn), y + radius * np.sin(turn))[side]
        if circle.min() > 0.7:
            return side, float(x), float(y)


# Append only: a disease's place is part of the seeds of its images.
_SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        COVID: _covid,
        NORMAL: _normal,
        OTHER: _other,
        "EFFUSION": _effusion,
        "NODULE": _nodule,
        "CARDIOMEGALY": _cardiomegaly,
        "PNEUMOTHORAX": _pneumothorax,
        "MASS": _mass,
        "ATELECTASIS": _atelectasis,
        "FIBROSIS": _fibrosis,
    }
)
DISEASES = tuple(_SAMPLERS)
