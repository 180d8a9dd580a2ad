"""X-rays in a grid that fits any window: undistorted, with a caption below each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from cxrcore.data.errors import ImageError
from cxrcore.explain.overlay import overlay
from cxrcore.figures import palette, thumbnails
from cxrcore.figures.palette import ClassStyle
from cxrcore.i18n import t, translate
from cxrcore.messages import Message, msg

_SIDE = 320
_NO_CLASS = ClassStyle("#888", "solid", "", "●")
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
.cxr-grid figcaption a { color: inherit; }
.cxr-grid .mark { display: inline-block; width: 13px; margin-right: 3px; }
</style>"""


@dataclass(frozen=True)
class Card:
    """One image of the grid, none if `path` is "". The mark has the colour of class `label`; the texts stand below.

    With `heatmap`, float (h, w), the picture is shown under it, and by itself while the pointer is on it. `explain` is
    the address where the image is explained, "" for no link.
    """

    path: str
    label: str
    title: str
    lines: tuple[str, ...] = ()
    wrong: bool = False
    heatmap: npt.NDArray[np.float32] | None = None
    explain: str = ""


def show(cards: Sequence[Card], classes: Sequence[str]) -> None:
    """Show the cards; incorrect ones have a red frame and the word."""
    styles = palette.class_styles(classes)
    st.html(_STYLE + f'<div class="cxr-grid">{"".join(figure(card, styles) for card in cards)}</div>')


def clickable(cards: Sequence[Card], classes: Sequence[str], key: str) -> int | None:
    """Show the cards with a button below each; return the index of the card whose button was pressed, else None."""
    styles = palette.class_styles(classes)
    pressed = None
    # All are drawn before the first is shown: a grid that grows under the pointer gets clicks in the wrong place.
    html = [figure(card, styles) for card in cards]
    with st.container(horizontal=True, gap="small"):
        for number, content in enumerate(html):
            with st.container(width=168, gap=None):
                st.html(_STYLE + f'<div class="cxr-grid">{content}</div>')
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


def figure(card: Card, styles: Mapping[str, ClassStyle]) -> str:
    """Return the HTML of a card; `styles` are those of the classes."""
    style = styles.get(card.label, _NO_CLASS)
    dot = f'<span class="mark" style="color:{style.colour}">{style.mark}</span>'
    mark = "<b>" + t("incorrect") + "</b> · " if card.wrong else ""
    lines = "<br>".join(escape(line) for line in card.lines)
    if card.explain:
        lines += f'<br><a href="{escape(card.explain, quote=True)}" target="_self">{t("Explain")}</a>'
    return (
        f'<figure><div class="picture{" wrong" if card.wrong else ""}">{_picture(card)}</div>'
        f"<figcaption>{dot}{mark}{escape(card.title)}<br>{lines}</figcaption></figure>"
    )


def _picture(card: Card) -> str:
    picture, reason = thumbnail(card.path) if card.path else ("", msg("not opened"))
    if not picture:
        return f'<div class="gone">{escape(translate(reason))}</div>'
    description = ". ".join([card.title, *card.lines])
    alt = escape(t("X-ray {name}: {description}", name=Path(card.path).name, description=description), quote=True)
    inner = f'<img src="{picture}" alt="{alt}" loading="lazy">'
    if card.heatmap is not None:
        over = _overlay(card.path, _modified(card.path), card.heatmap)
        inner += f'<img class="over" src="{over}" alt="" loading="lazy">'
    return inner


def thumbnail(path: str) -> tuple[str, Message]:
    """Return a small picture as a data URL and an empty message, or "" and the reason why there is none."""
    return _thumbnail(path, _modified(path))


def _modified(path: str) -> float:
    """Return when the file was written last, 0 if it is gone: part of the cache's key, as a file may be replaced."""
    file = Path(path)
    return file.stat().st_mtime if file.is_file() else 0.0


@st.cache_data(max_entries=3000, show_spinner=False)
def _thumbnail(path: str, modified: float) -> tuple[str, Message]:
    try:
        return thumbnails.data_url(thumbnails.small(Path(path), _SIDE)), msg("")
    except ImageError as error:
        return "", msg("{name}: {reason}", name=Path(path).name, reason=error.message)


@st.cache_data(max_entries=1000, show_spinner=False)
def _overlay(path: str, modified: float, heatmap: npt.NDArray[np.float32]) -> str:
    """Return the picture under its heatmap as a data URL."""
    picture = np.asarray(thumbnails.small(Path(path), _SIDE))
    return thumbnails.data_url(Image.fromarray(overlay(picture, heatmap)))
