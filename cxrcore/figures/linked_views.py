"""Several views of one image; a zoom into one is a zoom into all."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from cxrcore.figures import thumbnails
from cxrcore.figures.charts import layout


def views(pictures: Mapping[str, npt.NDArray[np.uint8]]) -> go.Figure:
    """Return pictures (H, W, 3) of the same size under their titles, two in a row."""
    rows = -(-len(pictures) // 2)
    titles = list(pictures)
    figure = make_subplots(
        rows,
        2,
        subplot_titles=titles,
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.02,
        vertical_spacing=0.06,
    )
    for number, picture in enumerate(pictures.values()):
        source = thumbnails.data_url(Image.fromarray(picture), colour=True)
        figure.add_trace(go.Image(source=source, hoverinfo="skip"), row=number // 2 + 1, col=number % 2 + 1)
    figure.update_layout(layout(390 * rows, margin={"l": 0, "r": 0, "t": 28, "b": 0}))
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, constrain="domain", constraintoward="top", scaleanchor="x")
    return figure
