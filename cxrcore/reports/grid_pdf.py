"""The tutorials' grid as PDF: test images with predicted and true label, errors marked, text that can be searched."""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from cxrcore.data import classes
from cxrcore.evaluation.metrics import certainty
from cxrcore.explain import fonts
from cxrcore.figures import palette
from cxrcore.figures.formatting import shortened
from cxrcore.i18n import t

PER_PAGE = 30
_MARGIN, _HEADING, _GAP = 36, 20, 6
_NOTE = 7  # points, the largest size of the note
_LARGEST, _SMALLEST = 6.5, 3.5  # points, the size of the captions
_LENGTHS = (60, 40, 30, 24, 18, 12)  # characters of a class name, the first for which the captions are not too small


@dataclass(frozen=True)
class Tile:
    """One image (grey or RGB, None if it can no longer be read), its true and its predicted class.

    `probability` is that of the predicted class, 0 to 1.
    """

    image: Image.Image | None
    true: str
    predicted: str
    probability: float

    @property
    def correct(self) -> bool:
        """Whether the predicted class is the true one."""
        return self.true == self.predicted


def render(tiles: Iterable[Tile], heading: str, per_page: int = PER_PAGE, note: str = "") -> bytes:
    """Return an A4 PDF with `per_page` tiles on a page under `heading` and, in one small line, `note`."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, pageCompression=1)
    canvas.setTitle(heading)
    columns, rows = _layout(per_page)
    width, height = (A4[0] - 2 * _MARGIN) / columns, (A4[1] - 2 * _MARGIN - _HEADING) / rows
    for number, tile in enumerate(tiles):
        place = number % per_page
        if place == 0:
            if number:
                canvas.showPage()
            _heading(canvas, heading, note)
        left = _MARGIN + (place % columns) * width
        bottom = A4[1] - _MARGIN - _HEADING - (place // columns + 1) * height
        _tile(canvas, tile, left + _GAP / 2, bottom, width - _GAP, height - _GAP)
    canvas.save()
    return buffer.getvalue()


def _layout(count: int) -> tuple[int, int]:
    """Return the columns and rows that give `count` square pictures the most room on a page."""
    width, height = A4[0] - 2 * _MARGIN, A4[1] - 2 * _MARGIN - _HEADING
    choices = [(columns, math.ceil(count / columns)) for columns in range(1, count + 1)]
    return max(choices, key=lambda choice: min(width / choice[0], height / choice[1] - 3 * _LARGEST))


def _heading(canvas: Canvas, text: str, note: str) -> None:
    canvas.setFillColor(HexColor("#17212B"))
    canvas.setFont(_font(text, bold=True), 10)
    canvas.drawString(_MARGIN, A4[1] - _MARGIN, text)
    if note:
        width = stringWidth(note, _font(note), 1)
        canvas.setFont(_font(note), min(_NOTE, (A4[0] - 2 * _MARGIN) / width))
        canvas.drawString(_MARGIN, A4[1] - _MARGIN - _HEADING / 2, note)
    canvas.setFont("Helvetica", 7)
    canvas.drawRightString(A4[0] - _MARGIN, _MARGIN - 14, t("For research and teaching, not for clinical use."))


def _lines(tile: Tile, most: int) -> list[str]:
    """Return the captions with names of at most `most` characters."""
    predicted = t(
        "Predicted: {label} ({certainty})",
        label=shortened(classes.label(tile.predicted), most),
        certainty=certainty(tile.probability),
    )
    first = predicted if tile.correct else t("INCORRECT") + "  " + predicted
    return [first, t("True: {label}", label=shortened(classes.label(tile.true), most))]


def _size(lines: Sequence[str], width: float) -> float:
    return float(min(_LARGEST, *(width / stringWidth(line, _font(line, bold=True), 1) for line in lines)))


def _font(text: str, bold: bool = False) -> str:
    """Return the name of a font for `text`: Helvetica, or for letters that it does not have one of this computer.

    A character that no font has is drawn as a box. Letters are drawn from left to right as they are, so Arabic is
    neither joined nor turned.
    """
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        if (path := fonts.file(text)) and path.suffix == ".ttf":
            if path.stem not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(path.stem, path))
            return path.stem
    return "Helvetica-Bold" if bold else "Helvetica"


def _tile(canvas: Canvas, tile: Tile, left: float, bottom: float, width: float, height: float) -> None:
    for most in _LENGTHS:
        lines = _lines(tile, most)
        if (size := _size(lines, width)) >= _SMALLEST:
            break
    free = height - 3 * size
    aspect = tile.image.width / tile.image.height if tile.image else 1.0
    drawn_width, drawn_height = min(width, free * aspect), min(free, width / aspect)
    x, y = left + (width - drawn_width) / 2, bottom + 3 * size + (free - drawn_height) / 2
    if tile.image:
        canvas.drawImage(ImageReader(tile.image), x, y, drawn_width, drawn_height)
    else:
        canvas.setFillColor(HexColor("#17212B"))
        canvas.setFont("Helvetica", size)
        canvas.drawCentredString(left + width / 2, y + drawn_height / 2, t("can no longer be read"))
    colour = HexColor(palette.CORRECT if tile.correct else palette.WRONG)
    if not tile.correct:
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(1.5)
        canvas.rect(x, y, drawn_width, drawn_height)
    canvas.setFillColor(colour)
    canvas.setFont(_font(lines[0], bold=True), size)
    canvas.drawString(left, bottom + 1.8 * size, lines[0])
    canvas.setFillColor(HexColor("#17212B"))
    canvas.setFont(_font(lines[1]), size)
    canvas.drawString(left, bottom + 0.6 * size, lines[1])
