"""One image and its heatmap: the overlay by itself or beside the original, or four views that zoom together."""

from html import escape

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from cxrcore.explain.methods import METHODS
from cxrcore.explain.overlay import coloured, contour, overlay
from cxrcore.figures import linked_views
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback, outline_toggle
from cxrcore.ui.explain.options import BESIDE, VIEWS, ExplainOptions

_STOPS = 17  # of the colour bar's gradient
# The original lies under the overlay, which is not drawn while the pointer is on it. Both have the image's proportions.
_STYLE = """<style>
.st-key-explained_image { position: relative; }
.st-key-explained_image > div:nth-child(2) { position: absolute; inset: 0; }
.st-key-explained_image img { max-height: 80vh; object-fit: contain; background: #000; }
.st-key-explained_image > div:nth-child(2):hover img { opacity: 0; }
@media (max-width: 640px) { .st-key-explained_image img { max-height: 56vh; } }
.cxr-colours { font-size: 13px; line-height: 1.3; display: flex; align-items: center; gap: 8px; }
.cxr-colours div { flex: 1; height: 12px; border-radius: 3px; }
</style>"""


def show(
    name: str, image: npt.NDArray[np.uint8], heatmap: npt.NDArray[np.float32], chosen: ExplainOptions, title: str
) -> None:
    """Show an image (H, W, 3) and its heatmap (h, w) with a colour bar; `title` is what it explains, as plain text."""
    if chosen.view == VIEWS:
        bare = {"displayModeBar": False}  # the toolbar would cover a title
        alt = t("Four views of {name}", name=name)
        st.plotly_chart(_views(image, heatmap, chosen), key="views", alt=alt, config=bare)
        _colour_bar(chosen.colours)
        st.caption(
            t(
                "Draw a rectangle in one view to zoom all four; a double click resets the zoom. The contour is at this "
                "share of the heatmap's maximum; the threshold moves it."
            )
        )
        return
    over = overlay(image, heatmap, chosen.opacity, chosen.colours, chosen.threshold)
    image, over = outline_toggle.outlined([image, over], chosen.outlined)
    method = translate(METHODS[chosen.method].title)
    caption = t("{method} for {target}", method=method, target=feedback.plain_text(title))
    of_original = t("X-ray {name}", name=name)
    of_overlay = t("{method} of {name} for {target}", method=method, name=name, target=title)
    if chosen.view == BESIDE:
        left, right = st.columns(2)
        left.image(image, width="stretch", caption=t("Original"), alt=of_original)
        right.image(over, width="stretch", caption=caption, alt=of_overlay)
        _colour_bar(chosen.colours)
        return
    st.html(_STYLE)
    with st.container(key="explained_image", gap=None):
        st.image(image, width="stretch", alt=of_original)
        st.image(over, width="stretch", alt=of_overlay)
    _colour_bar(chosen.colours)
    st.caption(caption)


def _colour_bar(colours: str) -> None:
    """Show the colours of a heatmap from 0 to its maximum."""
    ramp = np.linspace(0, 1, _STOPS, dtype=np.float32)[None]
    stops = ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in coloured(ramp, 1, _STOPS, colours)[0])
    label = escape(t("Colours of the heatmap, from 0 to its maximum"), quote=True)
    bar = f'<div role="img" aria-label="{label}" style="background: linear-gradient(to right, {stops})"></div>'
    st.html(_STYLE + f'<div class="cxr-colours">0{bar}{escape(t("maximum"))}</div>')


def _views(image: npt.NDArray[np.uint8], heatmap: npt.NDArray[np.float32], chosen: ExplainOptions) -> go.Figure:
    level = chosen.threshold or 0.5
    return linked_views.views(
        {
            t("Original"): image,
            t("Heatmap"): coloured(heatmap, image.shape[0], image.shape[1], chosen.colours),
            t("Overlay"): overlay(image, heatmap, chosen.opacity, chosen.colours, chosen.threshold),
            t("Contour at {level:.0%}", level=level): contour(image, heatmap, level),
        }
    )
