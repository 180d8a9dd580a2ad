"""The flow of the images as a drawing (SVG): identified, left out by reason, included, and split.

After the diagram of STARD 2015, doi:10.1136/bmj.h5527: the way goes down, and what is left out stands to its right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from textwrap import wrap

from cxrcore.data import classes, exclusions
from cxrcore.data.dataset import PART_TITLES
from cxrcore.data.flow import ImageFlow
from cxrcore.figures import formatting, palette
from cxrcore.i18n import format_number, t, translate

WIDTH = 400  # fits a phone at its natural size
_MAIN, _SIDE, _BETWEEN = 186, 190, 24  # widths of the boxes of the way and of what is left out
_PAD, _LINE, _GAP = 9, 18, 26
_CHARACTERS = 20  # of a line beside a count in 13-pixel letters
_MOST_CLASSES = 10
_GREY = "#888888"


@dataclass(frozen=True)
class _Row:
    """One line of a box: a text, the count at its right end, and the class whose mark stands before it."""

    text: str
    count: str = ""
    mark: palette.ClassStyle | None = None
    bold: bool = False


@dataclass
class _Drawing:
    ink: str
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, rows: list[_Row]) -> float:
        """Draw a box with rows and return its lower end."""
        height = len(rows) * _LINE + 2 * _PAD - 4
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="none" stroke="{_GREY}"/>'
        )
        for number, row in enumerate(rows):
            base, left = y + _PAD + 11 + number * _LINE, x + 10
            weight = ' font-weight="600"' if row.bold else ""
            if row.mark:
                self.parts.append(f'<text x="{left}" y="{base}" fill="{row.mark.colour}">{row.mark.mark}</text>')
                left += 15
            self.parts.append(f'<text x="{left}" y="{base}"{weight}>{escape(row.text)}</text>')
            if row.count:
                self.parts.append(
                    f'<text x="{x + width - 10}" y="{base}" text-anchor="end"{weight}>{escape(row.count)}</text>'
                )
        return y + height

    def down(self, x: float, start: float, end: float) -> None:
        """Draw an arrow down."""
        self.line(x, start, x, end - 5)
        self.parts.append(f'<path d="M{x - 4} {end - 7} L{x} {end} L{x + 4} {end - 7} Z" fill="{_GREY}"/>')

    def right(self, y: float, start: float, end: float) -> None:
        """Draw an arrow to the right."""
        self.line(start, y, end - 5, y)
        self.parts.append(f'<path d="M{end - 7} {y - 4} L{end} {y} L{end - 7} {y + 4} Z" fill="{_GREY}"/>')

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a line."""
        self.parts.append(f'<path d="M{x0} {y0} L{x1} {y1}" stroke="{_GREY}" fill="none"/>')

    def svg(self, height: float, description: str) -> str:
        """Return the drawing."""
        style = f'font-family="system-ui, sans-serif" font-size="13" fill="{self.ink}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
            f'viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(description, quote=True)}" {style}>'
            f"{''.join(self.parts)}</svg>"
        )


def svg(flow: ImageFlow, names: list[str], ink: str) -> str:
    """Return the diagram as an SVG document of `WIDTH` pixels; `names` are all classes, `ink` the colour of texts."""
    drawing, middle = _Drawing(ink), 0.5 + _MAIN / 2
    low = drawing.box(0.5, 0.5, _MAIN, [_Row(t("Identified"), _count(flow.identified), bold=True)])
    next_box = low + _GAP
    if flow.left_out:
        rows = [_Row(t("Left out"), _count(flow.excluded), bold=True), *_reasons(flow.left_out)]
        side = drawing.box(0.5 + _MAIN + _BETWEEN, low + 10, _SIDE - 1, rows)
        drawing.right(low + 10 + _PAD + 6, middle, 0.5 + _MAIN + _BETWEEN)
        next_box = side + 10
    rows = [_Row(t("Included"), _count(flow.in_use), bold=True), *_classes(flow.included, names)]
    drawing.down(middle, low, next_box)
    low = drawing.box(0.5, next_box, _MAIN, rows)
    if flow.parts:
        low = _parts(drawing, flow, middle, low)
    return drawing.svg(low + 1, in_words(flow))


def in_words(flow: ImageFlow) -> str:
    """Return what the diagram shows as one text."""
    reasons = ", ".join(f"{_kind(kind)} {_count(n)}" for kind, n in flow.left_out.items())
    labels = ", ".join(f"{classes.isolated(classes.label(name))} {_count(n)}" for name, n in flow.included.items())
    steps = [
        f"{t('Identified')}: {_count(flow.identified)}",
        f"{t('Left out')}: {_count(flow.excluded)}" + (f" ({reasons})" if reasons else ""),
        f"{t('Included')}: {_count(flow.in_use)} ({labels})",
        *(f"{translate(PART_TITLES[part])}: {_count(found.images)}" for part, found in flow.parts.items()),
    ]
    return ". ".join(steps)


def _parts(drawing: _Drawing, flow: ImageFlow, middle: float, top: float) -> float:
    """Draw the parts beside each other and return their lower end."""
    gap = 8
    width = (WIDTH - 1 - gap * (len(flow.parts) - 1)) / len(flow.parts)
    centres = [0.5 + number * (width + gap) + width / 2 for number in range(len(flow.parts))]
    branch, low = top + _GAP / 2, top
    drawing.line(middle, top, middle, branch)
    drawing.line(min(middle, *centres), branch, max(middle, *centres), branch)
    for (part, found), centre in zip(flow.parts.items(), centres, strict=True):
        title = translate(PART_TITLES[part])
        rows = [
            _Row(title[:1].upper() + title[1:], bold=True),
            _Row(t("images"), _count(found.images)),
            _Row(t("patients"), _count(found.patients)),
        ]
        drawing.down(centre, branch, top + _GAP + 4)
        low = drawing.box(centre - width / 2, top + _GAP + 4, width, rows)
    return low


def _reasons(left_out: Mapping[str, int]) -> list[_Row]:
    rows = []
    for kind, n in left_out.items():
        first, *more = wrap(_kind(kind), _CHARACTERS)
        rows += [_Row(first, _count(n)), *(_Row(text) for text in more)]
    return rows


def _classes(included: Mapping[str, int], names: list[str]) -> list[_Row]:
    if len(included) > _MOST_CLASSES:
        return [_Row(t("Classes"), _count(len(included)))]
    styles = palette.class_styles(names)
    return [
        _Row(classes.isolated(formatting.shortened(classes.label(name), _CHARACTERS - 3)), _count(n), styles.get(name))
        for name, n in included.items()
    ]


def _kind(kind: str) -> str:
    return translate(exclusions.KINDS.get(kind, kind))


def _count(n: int) -> str:
    return format_number(n, ",d")
