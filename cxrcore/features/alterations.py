"""What is done to images to find out which part of them a model needs."""

import numpy as np

from cxrcore.errors import UserError


def border(width: int) -> str:
    """Return the name of the alteration that leaves only a border of `width` pixels and blacks out the rest."""
    return f"border:{width}"


def apply(pixels: np.ndarray, name: str) -> np.ndarray:
    """Return uint8 (n, size, size, 3) after the alteration `name`; "" changes nothing.

    Raises:
        UserError: no such alteration.
    """
    if not name:
        return pixels
    kind, _, value = name.partition(":")
    if kind != "border" or not value.isdecimal():
        raise UserError("alteration: expected border:<pixels>. Received: {name!r}", name=name)
    width = int(value)
    altered = pixels.copy()
    altered[:, width:-width, width:-width] = 0
    return altered
