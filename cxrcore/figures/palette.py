"""One style for each class on every figure: a colour, and beyond eight classes a dash, a pattern and a mark, too.

The colours have at least 3:1 contrast on white and on #12171D. Any two of them differ by at least 20 in CIE 1976 Lab,
with full colour vision and without each of the three cones (Machado et al. 2009, doi:10.1109/TVCG.2009.113).
"""

from collections.abc import Sequence
from dataclasses import dataclass

_COLOURS = ("#D55E00", "#2E8BC0", "#900CFC", "#C08454", "#546C84", "#C054FC", "#846048", "#9C9090")
_FIXED = {"COVID": _COLOURS[0], "NORMAL": _COLOURS[1], "OTHER INFECTION": _COLOURS[2]}
# One of each for every round of the colours: seven rounds are enough for fifty classes.
_DASHES = ("solid", "dash", "dot", "longdash", "dashdot", "longdashdot", "12px,3px,3px,3px,3px,3px")
_PATTERNS = ("", "/", "x", "-", ".", "|", "\\")
_MARKS = "●■▲◆★▼✚"
TRAINING, VALIDATION = "#14877B", "#C9751F"
INK = {"light": "#0D141B", "dark": "#E8EDF2"}  # the themes' text colours
WRONG, CORRECT = "#C0392B", "#14877B"


@dataclass(frozen=True)
class ClassStyle:
    """How a class is drawn: `dash` of a line and `pattern` of a bar as Plotly names them, `mark` a character."""

    colour: str
    dash: str
    pattern: str
    mark: str


def series(count: int) -> list[str]:
    """Return a colour for each of `count` lines; after eight they repeat."""
    return [_COLOURS[number % len(_COLOURS)] for number in range(count)]


def class_styles(classes: Sequence[str]) -> dict[str, ClassStyle]:
    """Return the style of each class, which no other class has.

    The tutorials' classes have the same colour in every dataset; the others take those that are free, in order. The
    styles depend on all of `classes`: pass the whole list of a run or a dataset, not those shown.
    """
    fixed = {name: (_FIXED[name], 0) for name in classes if name in _FIXED}
    places = [(colour, number) for number in range(len(_DASHES)) for colour in _COLOURS]
    free = iter([place for place in places if place not in fixed.values()])
    return {name: _style(*(fixed.get(name) or next(free))) for name in classes}


def _style(colour: str, number: int) -> ClassStyle:
    return ClassStyle(colour, _DASHES[number], _PATTERNS[number], _MARKS[number])
