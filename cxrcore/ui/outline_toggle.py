"""The choice whether the masks of an image are outlined where it is shown large."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cxrcore.data.errors import ImageError
from cxrcore.figures import outlines
from cxrcore.figures.outlines import Masks
from cxrcore.i18n import N_, t, translate
from cxrcore.ui import feedback

_TITLES = {"lungs": N_("lungs (blue)"), "lesions": N_("lesions (orange)")}


def choose(masks: Masks, shown: bool) -> Masks:
    """Show a toggle if the image has masks, on at first if `shown`; return the masks to be outlined."""
    known = [translate(title) for kind, title in _TITLES.items() if getattr(masks, kind)]
    if known and st.toggle(t("Outlines: {masks}", masks=", ".join(known)), value=shown, key="outlines"):
        return masks
    return Masks()


def outlined(pictures: Sequence[np.ndarray], masks: Masks) -> list[np.ndarray]:
    """Return pictures, uint8 (H, W, 3), with the outlines of `masks`; without, and a caption, if one cannot be read."""
    try:
        return [outlines.draw(picture, masks) for picture in pictures]
    except ImageError as error:
        st.caption(t("No outlines: {reason}", reason=feedback.error_text(error.message)))
        return list(pictures)
