"""One phantom radiograph: body, pose, lesions and exposure to pixels and masks."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cxrcore.data.phantom import anatomy, lesions
from cxrcore.data.phantom.shapes import Scene, Shade, Shape

SIZE = 256


@dataclass(frozen=True)
class Phantom:
    """`image`, `lungs` and `lesions`: uint8 (SIZE, SIZE); the masks hold 0 or 255. The lungs are the lung fields above
    the diaphragm with the lung behind the heart, as people draw them. `left_lung` is that of the patient's left, at the
    image's right, boolean (SIZE, SIZE).
    """

    image: np.ndarray
    lungs: np.ndarray
    lesions: np.ndarray
    left_lung: np.ndarray


@dataclass(frozen=True)
class Patient:
    """A body and its lesions; every image of the patient shows both."""

    body: anatomy.Anatomy
    lesions: tuple[Shape, ...]

    @classmethod
    def sample(cls, disease: str, rng: np.random.Generator) -> "Patient":
        """Draw a patient with `disease`, one of `lesions.DISEASES`."""
        body, shapes = lesions.sample(disease, anatomy.Anatomy.sample(rng), rng)
        return cls(body, tuple(shapes))


def draw(patient: Patient, rng: np.random.Generator, marker: bool = False) -> Phantom:
    """Return one radiograph of `patient`; `rng` sets pose, exposure, course of disease and noise.

    `marker` draws a small bright rectangle into a corner: a confounding marker if the caller links it to a class. The
    side letter L or R is drawn on every image.
    """
    x, y = anatomy.Pose.sample(rng).grid(SIZE)
    fields = anatomy.lungs(patient.body, x, y)
    lung = fields[-1] + fields[1]
    vessels = _vessels(patient.body, x, y, lung, rng)
    illness = _illness(patient, fields, x, y, rng)
    aerated = lung if illness.fluid is None else lung - illness.fluid
    picture = anatomy.chest(patient.body, x, y, aerated)
    if illness.air is not None:
        picture -= 0.12 * patient.body.tissue * illness.air
    for filled in (illness.air, illness.fluid):
        vessels = vessels if filled is None else vessels * (1 - filled)
    pixels = _expose(picture + vessels + illness.added, rng)
    _letter(pixels, rng)
    if marker:
        cv2.rectangle(pixels, (8, SIZE - 22), (24, SIZE - 12), 235, -1)
    whole = anatomy.lungs(patient.body, x, y, behind_heart=True)
    return Phantom(pixels, _mask(whole[-1] + whole[1] > 0.5), _mask(illness.mask), whole[1] > 0.5)


def _illness(
    patient: Patient, fields: dict[int, np.ndarray], x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> Shade:
    """Return what the lesions together do to the image: of overlapping ones the densest counts.

    Air and fluid are those of the last lesion; no disease has them beside another lesion.
    """
    scene = Scene(patient.body, x, y, fields, noise=_noise(rng, 28))
    total = Shade(np.zeros_like(x), np.zeros(x.shape, bool))
    for lesion in patient.lesions:
        shade = lesion.varied(rng).shade(scene)
        total = replace(shade, added=np.maximum(total.added, shade.added), mask=total.mask | shade.mask)
    return total


def _vessels(
    body: anatomy.Anatomy, x: np.ndarray, y: np.ndarray, lung: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the hilar vessels: streaks that fade away from the hilum, the same in every image of a patient."""
    own = np.random.default_rng(body.vessel_seed)
    run = np.abs(x) - 0.16
    angle = np.arctan2(y + 0.02, np.maximum(run, 1e-3))
    streaks = sum(own.uniform(0.5, 1) * np.cos(f * angle + own.uniform(0, 6.3)) for f in (7, 11, 17))
    fade = np.exp(-np.hypot(run, y + 0.02) / np.float32(0.28))
    vessels: np.ndarray = (0.05 * np.maximum(streaks, 0) + 0.10) * fade * lung + 0.012 * _noise(rng, 12) * lung
    return vessels


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Return smooth noise, float32 (SIZE, SIZE), standard deviation about 1."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _expose(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return uint8 pixels with blur, gain, gamma and quantum noise, as of a detector."""
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.5, 1.1))
    picture = np.clip(picture * rng.uniform(0.88, 1.12) + rng.uniform(-0.02, 0.05), 0, 1.2)
    picture = picture ** np.float32(rng.uniform(0.85, 1.2)) * rng.uniform(0.85, 0.98)
    picture += rng.standard_normal(picture.shape, dtype=np.float32) * rng.uniform(0.008, 0.02)
    exposed: np.ndarray = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return exposed


def _letter(pixels: np.ndarray, rng: np.random.Generator) -> None:
    """Draw the side letter, R at the image's left or L at its right, independent of the disease."""
    left = rng.random() < 0.5
    column = int(rng.integers(6, 20)) if left else SIZE - int(rng.integers(22, 36))
    row, scale = int(rng.integers(20, 48)), float(rng.uniform(0.45, 0.7))
    cv2.putText(pixels, "R" if left else "L", (column, row), cv2.FONT_HERSHEY_SIMPLEX, scale, 230, 1, cv2.LINE_AA)


def _mask(inside: np.ndarray) -> np.ndarray:
    return inside.astype(np.uint8) * 255
