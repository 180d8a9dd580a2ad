"""The tutorials' grid as PDF: test images with predicted and true label, wrong ones marked; vector text."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from cxrcore.evaluation.metrics import certainty
from cxrcore.report import palette

COLUMNS, ROWS, MARGIN, CAPTION = 5, 6, 36, 24


@dataclass(frozen=True)
class Tile:
    """One image (RGB) with what is said of it; `probability` is that of the predicted class, 0 to 1."""

    image: Image.Image
    true: str
    predicted: str
    probability: float

    @property
    def right(self) -> bool:
        """Whether the prediction is the truth."""
        return self.true == self.predicted


def render(tiles: Iterable[Tile], heading: str) -> bytes:
    """Return an A4 PDF with 30 tiles a page under `heading`; text can be selected and searched."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, pageCompression=1)
    canvas.setTitle(heading)
    cell_width = (A4[0] - 2 * MARGIN) / COLUMNS
    cell_height = (A4[1] - 2 * MARGIN - 20) / ROWS
    for number, tile in enumerate(tiles):
        place = number % (COLUMNS * ROWS)
        if place == 0:
            if number:
                canvas.showPage()
            _heading(canvas, heading)
        left = MARGIN + (place % COLUMNS) * cell_width
        bottom = A4[1] - MARGIN - 20 - (place // COLUMNS + 1) * cell_height
        _tile(canvas, tile, left + 3, bottom, cell_width - 6, cell_height - 6)
    canvas.save()
    return buffer.getvalue()


def _heading(canvas: Canvas, text: str) -> None:
    canvas.setFillColor(HexColor("#17212B"))
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawString(MARGIN, A4[1] - MARGIN, text)
    canvas.setFont("Helvetica", 7)
    canvas.drawRightString(A4[0] - MARGIN, MARGIN - 14, "For research and teaching, not for clinical use.")


def _tile(canvas: Canvas, tile: Tile, left: float, bottom: float, width: float, height: float) -> None:
    room = height - CAPTION
    scale = min(width / tile.image.width, room / tile.image.height)
    drawn_width, drawn_height = tile.image.width * scale, tile.image.height * scale
    x, y = left + (width - drawn_width) / 2, bottom + CAPTION + (room - drawn_height) / 2
    canvas.drawImage(ImageReader(tile.image), x, y, drawn_width, drawn_height)
    colour = HexColor(palette.RIGHT if tile.right else palette.WRONG)
    if not tile.right:
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(1.5)
        canvas.rect(x, y, drawn_width, drawn_height)
    canvas.setFillColor(colour)
    canvas.setFont("Helvetica-Bold", 6.5)
    mark = "" if tile.right else "WRONG  "
    canvas.drawString(left, bottom + 14, f"{mark}Predicted: {tile.predicted} ({certainty(tile.probability)})")
    canvas.setFillColor(HexColor("#17212B"))
    canvas.setFont("Helvetica", 6.5)
    canvas.drawString(left, bottom + 6, f"True: {tile.true}")
