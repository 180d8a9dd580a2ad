"""X-rays in a grid that fits any window: grey, undistorted, with a caption below each."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from cxrcore.data.images import ImageError, open_rgb
from cxrcore.report import palette

_SIDE = 320
_COLOUR = 4  # mean difference of the channels above which a picture is shown in its colours
_STYLE = """<style>
.cxr-grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.cxr-grid figure { margin: 0; }
.cxr-grid .picture { aspect-ratio: 1; background: #000; border-radius: 6px; overflow: hidden; }
.cxr-grid .wrong { outline: 3px solid #C0392B; outline-offset: 1px; }
.cxr-grid img { width: 100%; height: 100%; object-fit: contain; display: block; }
.cxr-grid .gone { color: #ddd; font-size: 13px; padding: 12px; }
.cxr-grid figcaption { font-size: 13px; line-height: 1.35; padding-top: 5px; overflow-wrap: anywhere; }
.cxr-grid .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 5px; }
</style>"""


@dataclass(frozen=True)
class Card:
    """One image of the grid, none if `path` is "". The dot has the colour of class `label`; the texts stand below."""

    path: str
    label: str
    title: str
    lines: tuple[str, ...] = ()
    wrong: bool = False


def show(cards: Sequence[Card], classes: Sequence[str]) -> None:
    """Show the cards; wrong ones have a red frame and say so in words."""
    colours = palette.class_colours(classes)
    st.html(_STYLE + f'<div class="cxr-grid">{"".join(_figure(card, colours) for card in cards)}</div>')


def clickable(cards: Sequence[Card], classes: Sequence[str], key: str) -> int | None:
    """Show the cards with a button below each; return the number of the card whose button was pressed, else None."""
    colours = palette.class_colours(classes)
    pressed = None
    with st.container(horizontal=True, gap="small"):
        for number, card in enumerate(cards):
            with st.container(width=168, gap=None):
                st.html(_STYLE + f'<div class="cxr-grid">{_figure(card, colours)}</div>')
                if st.button("Enlarge", key=f"{key} {number}", width="stretch", type="tertiary"):
                    pressed = number
    return pressed


def page_of(count: int, size: int, key: str) -> slice:
    """Show page numbers when `count` items need more than one page of `size`; return the page's slice."""
    pages = -(-count // size)
    if pages < 2:
        return slice(0, count)
    number = st.number_input(f"Page (of {pages})", 1, pages, key=key, width=160)
    return slice((int(number) - 1) * size, int(number) * size)


def _figure(card: Card, colours: dict[str, str]) -> str:
    dot = f'<span class="dot" style="background:{colours.get(card.label, "#888")}"></span>'
    mark = "<b>wrong</b> · " if card.wrong else ""
    lines = "<br>".join(escape(line) for line in card.lines)
    about = escape(f"X-ray, {card.title}. {' '.join(card.lines)}", quote=True)
    encoded, reason = _thumbnail(card.path, _written(card.path)) if card.path else ("", "not opened")
    inner = (
        f'<img src="data:image/jpeg;base64,{encoded}" alt="{about}" loading="lazy">'
        if encoded
        else f'<div class="gone">{escape(reason)}</div>'
    )
    style = "picture wrong" if card.wrong else "picture"
    return (
        f'<figure><div class="{style}">{inner}</div>'
        f"<figcaption>{dot}{mark}{escape(card.title)}<br>{lines}</figcaption></figure>"
    )


def _written(path: str) -> float:
    """Return when the file was written last, 0 if it is gone: another picture under its name is another thumbnail."""
    file = Path(path)
    return file.stat().st_mtime if file.is_file() else 0.0


@st.cache_data(max_entries=3000, show_spinner=False)
def _thumbnail(path: str, written: float) -> tuple[str, str]:
    """Return a small JPEG in base 64 and "", or "" and the reason why there is none."""
    try:
        image = open_rgb(Path(path))
    except ImageError as error:
        return "", f"{Path(path).name}: {error}"
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    pixels = np.asarray(image).astype(np.int16)
    grey = (pixels.max(axis=2) - pixels.min(axis=2)).mean() < _COLOUR
    image.convert("L" if grey else "RGB").save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode(), ""
