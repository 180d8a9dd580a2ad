"""The deletion and insertion curves of heatmaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cxrcore.figures import palette
from cxrcore.figures.charts import GRID, LEGEND_BELOW, layout
from cxrcore.figures.formatting import plotly_text
from cxrcore.i18n import t

_PAD = 0.12  # of the axis, on each side, so that the labels of both panels stand apart
_RANDOM = {"color": "#888", "width": 2, "dash": "dash"}


@dataclass(frozen=True)
class MapCurves:
    """Label and curves of one kind of map: probabilities at equal steps from none of the image to all of it."""

    label: str
    deletion: Sequence[float]
    insertion: Sequence[float]


def curves(methods: Sequence[MapCurves], random: MapCurves) -> go.Figure:
    """Return the probability while the image is blurred, and beside it while it is restored; random maps are dashed."""
    figure = make_subplots(1, 2, shared_yaxes=True, horizontal_spacing=0.06)
    lines = [{"color": colour, "width": 2} for colour in palette.series(len(methods))]
    for maps, line in zip([*methods, random], [*lines, _RANDOM], strict=True):
        for column, values in enumerate((maps.deletion, maps.insertion), 1):
            figure.add_scatter(
                x=[step / (len(values) - 1) for step in range(len(values))],
                y=list(values),
                mode="lines+markers",
                cliponaxis=False,
                name=plotly_text(maps.label),
                legendgroup=maps.label,
                showlegend=column == 1,
                line=line,
                hovertemplate=plotly_text(maps.label) + ": %{y:.2f}<extra></extra>",
                row=1,
                col=column,
            )
    for column, title in enumerate((t("deletion: share blurred"), t("insertion: share restored")), 1):
        ticks = {"tickvals": [0, 0.5, 1], "tickformat": ".0%"}
        figure.update_xaxes(
            title=title, range=[-_PAD, 1 + _PAD], gridcolor=GRID, zeroline=False, row=1, col=column, **ticks
        )
    figure.update_yaxes(range=[0, 1.03], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title=t("probability"), row=1, col=1)
    below = 70 + 20 * (len(methods) + 1)
    margin = {"l": 8, "r": 16, "t": 16, "b": below}
    legend = LEGEND_BELOW | {"orientation": "v"}
    return figure.update_layout(layout(250 + below, hovermode="closest", margin=margin, legend=legend))
