"""The PDF of the prediction grid."""

import io

from PIL import Image
from pypdf import PdfReader

from cxrcore.reports.grid_pdf import Tile, render


def _pages(content):
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def test_captions_are_text_and_errors_are_marked():
    image = Image.new("L", (60, 80), 90)
    content = render([Tile(image, "COVID", "COVID", 0.98), Tile(image, "COVID", "NORMAL", 0.51)], "A heading")
    (text,) = _pages(content)
    assert "A heading" in text and "not for clinical use" in text
    assert "Predicted: COVID (98%)" in text and "INCORRECT  Predicted: NORMAL (51%)" in text
    assert text.count("INCORRECT") == 1


def test_thirty_images_per_page():
    image = Image.new("L", (10, 10))
    pages = _pages(render([Tile(image, "A", "A", 0.5)] * 75, "h"))
    assert [page.count("Predicted") for page in pages] == [30, 30, 15]


def test_seventy_five_images_per_page():
    image = Image.new("L", (10, 10))
    pages = _pages(render([Tile(image, "OTHER INFECTION", "OTHER INFECTION", 0.5)] * 75, "h", per_page=75))
    assert [page.count("Predicted") for page in pages] == [75]
