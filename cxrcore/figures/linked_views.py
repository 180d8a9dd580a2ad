"""One image looked at in several ways at once; a zoom into one is a zoom into all."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from cxrcore.figures import thumbnails
from cxrcore.figures.charts import layout


def views(pictures: Mapping[str, np.ndarray]) -> go.Figure:
    """Return pictures uint8 (H, W, 3) of the same size under their titles, two in a row."""
    rows = -(-len(pictures) // 2)
    figure = make_subplots(
        rows, 2, subplot_titles=list(pictures), shared_xaxes="all", shared_yaxes="all", horizontal_spacing=0.02,
        vertical_spacing=0.06,
    )  # fmt: skip
    for number, picture in enumerate(pictures.values()):
        source = thumbnails.data_url(Image.fromarray(picture), colour=True)
        figure.add_trace(go.Image(source=source, hoverinfo="skip"), row=number // 2 + 1, col=number % 2 + 1)
    figure.update_layout(layout() | {"height": 390 * rows, "margin": {"l": 0, "r": 0, "t": 28, "b": 0}})
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain", constraintoward="top", scaleanchor="x")
    return figure
