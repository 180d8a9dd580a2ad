"""X-rays in a grid that fits any window: grey, undistorted, with a caption below each."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from cxrcore.data.images import ImageError
from cxrcore.explain.overlay import overlay
from cxrcore.figures import palette, thumbnails
from cxrcore.i18n import t, translate

_SIDE = 320
_STYLE = """<style>
.cxr-grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.cxr-grid figure { margin: 0; }
.cxr-grid .picture { aspect-ratio: 1; background: #000; border-radius: 6px; overflow: hidden; }
.cxr-grid .wrong { outline: 3px solid #C0392B; outline-offset: 1px; }
.cxr-grid img { width: 100%; height: 100%; object-fit: contain; display: block; }
.cxr-grid .picture { position: relative; }
.cxr-grid .over { position: absolute; inset: 0; }
.cxr-grid .picture:hover .over { opacity: 0; }
.cxr-grid .gone { color: #ddd; font-size: 13px; padding: 12px; }
.cxr-grid figcaption { font-size: 13px; line-height: 1.35; padding-top: 5px; overflow-wrap: anywhere; }
.cxr-grid .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 5px; }
</style>"""


@dataclass(frozen=True)
class Card:
    """One image of the grid, none if `path` is "". The dot has the colour of class `label`; the texts stand below.

    With `heat`, float (h, w), the picture is shown under this heatmap, and by itself while the pointer is on it.
    """

    path: str
    label: str
    title: str
    lines: tuple[str, ...] = ()
    wrong: bool = False
    heat: np.ndarray | None = None


def show(cards: Sequence[Card], classes: Sequence[str]) -> None:
    """Show the cards; wrong ones have a red frame and say so in words."""
    colours = palette.class_colours(classes)
    st.html(_STYLE + f'<div class="cxr-grid">{"".join(_figure(card, colours) for card in cards)}</div>')


def clickable(cards: Sequence[Card], classes: Sequence[str], key: str) -> int | None:
    """Show the cards with a button below each; return the number of the card whose button was pressed, else None."""
    colours = palette.class_colours(classes)
    pressed = None
    # All are drawn before the first is shown: a grid that grows under the pointer is pressed at the wrong place.
    figures = [_figure(card, colours) for card in cards]
    with st.container(horizontal=True, gap="small"):
        for number, figure in enumerate(figures):
            with st.container(width=168, gap=None):
                st.html(_STYLE + f'<div class="cxr-grid">{figure}</div>')
                if st.button(t("Enlarge"), key=f"{key} {number}", width="stretch", type="tertiary"):
                    pressed = number
    return pressed


def page_of(count: int, size: int, key: str) -> slice:
    """Show page numbers when `count` items need more than one page of `size`; return the page's slice."""
    pages = -(-count // size)
    if pages < 2:
        return slice(0, count)
    number = st.number_input(t("Page (of {pages})", pages=pages), 1, pages, key=key, width=160)
    return slice((int(number) - 1) * size, int(number) * size)


def _figure(card: Card, colours: dict[str, str]) -> str:
    dot = f'<span class="dot" style="background:{colours.get(card.label, "#888")}"></span>'
    mark = "<b>" + t("wrong answer") + "</b> · " if card.wrong else ""
    lines = "<br>".join(escape(line) for line in card.lines)
    about = escape(t("X-ray, {about}", about=f"{card.title}. {' '.join(card.lines)}"), quote=True)
    picture, reason = thumbnail(card.path) if card.path else ("", t("not opened"))
    inner = f'<div class="gone">{escape(translate(reason))}</div>'
    if picture:
        inner = f'<img src="{picture}" alt="{about}" loading="lazy">'
        if card.heat is not None:
            inner += (
                f'<img class="over" src="{_overlay(card.path, _written(card.path), card.heat)}" alt="" loading="lazy">'
            )
    style = "picture wrong" if card.wrong else "picture"
    return (
        f'<figure><div class="{style}">{inner}</div>'
        f"<figcaption>{dot}{mark}{escape(card.title)}<br>{lines}</figcaption></figure>"
    )


def thumbnail(path: str) -> tuple[str, str]:
    """Return a small picture as the text that an <img> takes and "", or "" and the reason why there is none."""
    return _thumbnail(path, _written(path))


def _written(path: str) -> float:
    """Return when the file was written last, 0 if it is gone: another picture under its name is another thumbnail."""
    file = Path(path)
    return file.stat().st_mtime if file.is_file() else 0.0


@st.cache_data(max_entries=3000, show_spinner=False)
def _thumbnail(path: str, written: float) -> tuple[str, str]:
    try:
        return thumbnails.data_url(thumbnails.small(Path(path), _SIDE)), ""
    except ImageError as error:
        return "", f"{Path(path).name}: {error}"


@st.cache_data(max_entries=1000, show_spinner=False)
def _overlay(path: str, written: float, heat: np.ndarray) -> str:
    """Return the picture under its heatmap as the text that an <img> takes."""
    return thumbnails.data_url(Image.fromarray(overlay(np.asarray(thumbnails.small(Path(path), _SIDE)), heat)))
