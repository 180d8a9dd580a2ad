"""How strongly each property of the images is associated with the class: bars of Cramér's V."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cxrcore.figures import palette
from cxrcore.figures.charts import GRID, layout
from cxrcore.figures.formatting import plotly_text
from cxrcore.i18n import format_number, t

_ROW, _FRAME = 28, 84  # pixels of a bar, and above and below the bars
_GREY = "#888888"


def cramers_v(values: Mapping[str, float], marked: Sequence[str], limit: float) -> go.Figure:
    """Return one bar for each property, from 0 to 1, in the order given from above.

    Args:
        values: Cramér's V by the title of the property.
        marked: the titles that have a colour; the others are grey.
        limit: where a dashed line stands.
    """
    margin = {"l": 8, "r": 16, "t": 28, "b": 8}
    figure = go.Figure(layout=layout(_FRAME + _ROW * len(values), hovermode="closest", showlegend=False, margin=margin))
    places = list(range(len(values)))
    figure.add_bar(
        x=list(values.values()),
        y=places,
        orientation="h",
        marker={"color": [palette.WRONG if name in marked else _GREY for name in values]},
        text=[format_number(v, ".2f") for v in values.values()],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    label = {"text": format_number(limit, ".1f"), "yref": "paper", "y": 1, "yanchor": "bottom"}
    figure.add_vline(limit, line={"color": palette.VALIDATION, "width": 1.5, "dash": "dash"}, annotation=label)
    figure.update_xaxes(title=t("Cramér's V"), range=[0, 1.08], dtick=0.25, gridcolor=GRID, zeroline=False)
    ticks = [plotly_text(name) for name in values]
    figure.update_yaxes(range=[len(values) - 0.5, -0.5], tickvals=places, ticktext=ticks)
    return figure
