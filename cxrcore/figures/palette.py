"""One colour for each class on every figure. Distinct with any colour vision, on light and dark backgrounds."""

from collections.abc import Sequence

# After Okabe & Ito 2008, with blue and purple lightened to 3:1 contrast on white and on #12171D.
_FIXED = {"COVID": "#D55E00", "NORMAL": "#2E8BC0", "OTHER INFECTION": "#A569BD"}
_OTHERS = ("#009E73", "#B58900", "#CC79A7", "#6C7A89", "#8C564B", "#5F7ADB", "#7D9A2B")
TRAINING, VALIDATION = "#14877B", "#C9751F"
INK = {"light": "#0D141B", "dark": "#E8EDF2"}  # the themes' text colours
WRONG, CORRECT = "#C0392B", "#14877B"


def series(count: int) -> list[str]:
    """Return a colour for each of `count` lines; after nine they repeat."""
    colours = (*_FIXED.values(), *_OTHERS[:6])
    return [colours[number % len(colours)] for number in range(count)]


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """Return the colour of each class; the three classes of the tutorials have the same in every dataset."""
    others = [name for name in classes if name not in _FIXED]
    colours = {name: _OTHERS[number % len(_OTHERS)] for number, name in enumerate(others)}
    return {name: _FIXED.get(name) or colours[name] for name in classes}
