"""The choice whether the masks of an image are outlined where it is shown large."""

import streamlit as st

from cxrcore.figures.outlines import Masks
from cxrcore.i18n import N_, t, translate

_TITLES = {"lungs": N_("lungs (blue)"), "lesions": N_("lesions (orange)")}


def choose(masks: Masks, shown: bool) -> Masks:
    """Show a toggle if the image has masks, on at first if `shown`; return the masks to be outlined."""
    known = [translate(title) for kind, title in _TITLES.items() if getattr(masks, kind)]
    if known and st.toggle(t("Outlines: {masks}", masks=", ".join(known)), value=shown, key="outlines"):
        return masks
    return Masks()
