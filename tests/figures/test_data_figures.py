"""Figures of a dataset: the flow of its images and its distributions."""

import xml.etree.ElementTree as ET

import numpy as np
from PIL import Image

from cxrcore import i18n
from cxrcore.data.distributions import Distribution
from cxrcore.data.flow import ImageFlow, PartCount
from cxrcore.figures import associations, difference, distributions, flow_diagram, palette

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


def test_associations_that_stand_out_have_a_colour():
    figure = associations.cramers_v({"<b>": 0.9, "size": 0.42, "view": 0.1}, ["<b>"], 0.3)
    assert list(figure.data[0].marker.color) == [palette.WRONG, "#888888", "#888888"]
    assert list(figure.data[0].x) == [0.9, 0.42, 0.1] and list(figure.data[0].text) == ["0.90", "0.42", "0.10"]
    assert figure.layout.yaxis.ticktext == ("&lt;b&gt;", "size", "view") and figure.layout.shapes[0].x0 == 0.3


def test_difference_of_images_of_two_sizes():
    first = Image.fromarray(np.full((4, 6), 200, np.uint8))
    second = Image.fromarray(np.full((8, 8), 230, np.uint8)).convert("RGB")
    assert difference.grey_difference(first, second).tolist() == [[30] * 6] * 4
    assert difference.grey_difference(second, first).tolist() == [[30] * 8] * 8


def test_comparison_has_both_images_and_the_mean_difference(save):
    pixels = np.full((8, 8), 100, np.uint8)
    pixels[:4] = 110
    found = difference.compare(save("a.png", pixels), save("b.png", np.full((8, 8), 100, np.uint8)), side=8)
    assert found.mean == 5 and len({found.first, found.second, found.difference}) == 3
    assert all(url.startswith("data:image/jpeg;base64,") for url in (found.first, found.second, found.difference))
