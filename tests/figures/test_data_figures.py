"""Figures of a dataset: the flow of its images and its distributions."""

import xml.etree.ElementTree as ET

from cxrcore import i18n
from cxrcore.data.distributions import Distribution
from cxrcore.data.flow import ImageFlow, PartCount
from cxrcore.figures import distributions, flow_diagram

FLOW = ImageFlow(
    {"COVID": 1175, "<b>&": 100},
    {"view": 104, "several": 20},
    {"train": PartCount(1000, 800), "test": PartCount(275, 63)},
)


def _texts(svg):
    return [text.text for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_flow_diagram_has_every_count():
    texts = _texts(flow_diagram.svg(FLOW, ["COVID", "<b>&"], "#111111"))
    assert texts == [
        "Identified", "1,399",
        "Left out", "124", "not a frontal view", "104", "findings of several", "20", "classes",
        "Included", "1,275", "●", "COVID", "1,175", "●", "<b>&", "100",
        "Training", "images", "1,000", "patients", "800",
        "Test", "images", "275", "patients", "63",
    ]  # fmt: skip


def test_flow_diagram_has_the_ink_and_a_description():
    root = ET.fromstring(flow_diagram.svg(FLOW, ["COVID", "<b>&"], "#123456"))
    assert root.get("fill") == "#123456" and root.get("width") == "400"
    assert root.get("aria-label") == (
        "Identified: 1,399. Left out: 124 (not a frontal view 104, findings of several classes 20). "
        "Included: 1,275 (COVID 1,175, <b>& 100). training: 1,000. test: 275"
    )


def test_flow_diagram_without_exclusions_and_split():
    i18n.use("pt")
    texts = _texts(flow_diagram.svg(ImageFlow({f"c{k}": 100 for k in range(11)}, {}), [], "#111111"))
    assert texts[1] == "1.100" and texts[-2:] == ["Classes", "11"]


def test_histogram_shows_shares_and_no_bars_of_unknown_values():
    found = Distribution(["<i>", "PA"], {"COVID": [1, 3], "NORMAL": [0, 0], "rest": [5, 5]}, 0.1)
    figure = distributions.histogram(found, "View", ["COVID", "NORMAL"])
    assert [trace.name for trace in figure.data] == ["COVID", "rest"]
    assert list(figure.data[0].y) == [0.25, 0.75] and list(figure.data[0].customdata) == [1, 3]
    assert list(figure.data[0].x) == ["&lt;i&gt;", "PA"] and figure.data[1].marker.color == "#888888"
