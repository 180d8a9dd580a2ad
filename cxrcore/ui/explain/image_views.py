"""One image and its heatmap: the overlay beside the original, or four views that zoom together."""

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st

from cxrcore.explain.methods import METHODS
from cxrcore.explain.overlay import banner, coloured, contour, overlay
from cxrcore.figures import linked_views
from cxrcore.figures.outlines import Masks
from cxrcore.i18n import N_, t, translate
from cxrcore.ui import feedback, outline_toggle
from cxrcore.ui.explain.options import ExplainOptions

OVERLAY, VIEWS = N_("Overlay"), N_("Four views with zoom")


def show(
    name: str,
    image: npt.NDArray[np.uint8],
    heatmap: npt.NDArray[np.float32],
    chosen: ExplainOptions,
    banners: tuple[str, str],
    title: str,
    masks: Masks,
) -> None:
    """Show an image (H, W, 3) and its heatmap (h, w).

    `banners` stand above the original and the overlay; `title` is what the heatmap explains, as plain text. `masks` are
    outlined over both.
    """
    view = st.segmented_control(
        t("View"),
        [OVERLAY, VIEWS],
        format_func=translate,
        default=OVERLAY,
        required=True,
        key="look",
        label_visibility="collapsed",
    )
    if view == VIEWS:
        st.plotly_chart(_views(image, heatmap, chosen), key="views", alt=t("Four views of {name}", name=name))
        st.caption(
            t(
                "Draw a rectangle in one view to zoom all four; a double click resets the zoom. The contour is at this "
                "share of the heatmap's maximum; the threshold moves it."
            )
        )
        return
    masks = outline_toggle.choose(masks, shown=False)
    over = overlay(image, heatmap, chosen.opacity, chosen.colours, chosen.threshold)
    image, over = outline_toggle.outlined([image, over], masks)
    left, right = st.columns(2)
    left.image(banner(image, banners[0]), width="stretch", caption=t("Original"), alt=t("X-ray {name}", name=name))
    method = translate(METHODS[chosen.method].title)
    right.image(
        banner(over, banners[1]),
        width="stretch",
        caption=t("{method} for {target}", method=method, target=feedback.plain_text(title)),
        alt=t("{method} of {name} for {target}", method=method, name=name, target=title),
    )


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
