"""Histograms of one property of the images, with a colour for each class."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cxrcore.data.distributions import Distribution
from cxrcore.figures import palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout
from cxrcore.figures.formatting import plotly_label, plotly_text
from cxrcore.figures.palette import ClassStyle

_LONGEST = 28  # characters of a class name in the legend
_OTHERS = ClassStyle("#888888", "solid", "", "●")


def histogram(found: Distribution, title: str, classes: Sequence[str]) -> go.Figure:
    """Return bars beside each other: the share of each value among the images of a class that have one. A class of
    which none is known has no bars.

    Args:
        found: what is drawn; a name that is no class of the dataset, as that of all others, is grey.
        title: of the figure.
        classes: all classes of the dataset.
    """
    styles: Mapping[str, ClassStyle] = palette.class_styles(classes)
    height = 270 + 19 * max(0, len(found.counts) - 2)
    margin = {"l": 8, "r": 8, "t": 36, "b": 8}
    figure = go.Figure(
        layout=layout(height, title, barmode="group", hovermode="closest", legend=LEGEND_BELOW, margin=margin)
    )
    figure.update_layout(showlegend=True)  # of one class, too: its colour alone does not name it
    for name, counts in found.counts.items():
        if not any(counts):
            continue
        style = styles.get(name, _OTHERS)
        figure.add_bar(
            x=[plotly_text(value) for value in found.values],
            y=found.shares(name),
            customdata=counts,
            name=plotly_label(name, _LONGEST),
            marker={"color": style.colour, "pattern": {"shape": style.pattern, "fillmode": "replace"}},
            hovertemplate="%{x}: %{y:.1%} (%{customdata:,})<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(type="category")
    figure.update_yaxes(tickformat=".0%", gridcolor=GRID, rangemode="tozero")
    return figure
