"""A diagram of the six zones of the lungs, as seen on a frontal X-ray: the patient's right is on the left."""

import plotly.graph_objects as go

from cxrcore.explain.lung_zones import LEFT, RIGHT, ZoneShares
from cxrcore.i18n import format_number, t

_COLOUR = "13, 135, 125"  # that of no class
_GAP, _WIDE, _HIGH = 0.3, 1.0, 1.0


def diagram(found: ZoneShares) -> go.Figure:
    """Return the zones with the share of the heatmap in each, the darker the larger; the share outside stands below."""
    figure = go.Figure()
    for names, left in ((RIGHT, 0.0), (LEFT, _WIDE + _GAP)):
        for number, name in enumerate(names):
            share, top = found.zones[name], (3 - number) * _HIGH
            figure.add_shape(
                type="rect",
                x0=left,
                x1=left + _WIDE,
                y0=top - _HIGH,
                y1=top,
                fillcolor=f"rgba({_COLOUR}, {min(1.0, share / 0.5):.2f})",
                line={"color": "rgba(128, 128, 128, 0.8)", "width": 1},
            )
            text = format_number(share, ".0%")
            figure.add_annotation(x=left + _WIDE / 2, y=top - _HIGH / 2, text=text, showarrow=False)
    for text, x in ((t("Right"), _WIDE / 2), (t("Left"), 1.5 * _WIDE + _GAP)):
        figure.add_annotation(x=x, y=3.25 * _HIGH, text=text, showarrow=False)
    outside = t("Outside the lungs: {share}", share=format_number(found.outside, ".0%"))
    figure.add_annotation(x=_WIDE + _GAP / 2, y=-0.3 * _HIGH, text=outside, showarrow=False)
    figure.update_xaxes(range=[-0.1, 2 * _WIDE + _GAP + 0.1], visible=False, fixedrange=True)
    figure.update_yaxes(range=[-0.6 * _HIGH, 3.6 * _HIGH], visible=False, fixedrange=True)
    figure.update_layout(height=220, margin={"l": 0, "r": 0, "t": 0, "b": 0}, showlegend=False)
    return figure
