"""X-rays in a grid that fits any window: undistorted, with a caption below each; a click opens one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from cachetools import LRUCache, cached
from PIL import Image

from cxrcore import settings
from cxrcore.data.errors import ImageError
from cxrcore.explain.overlay import overlay
from cxrcore.figures import palette, thumbnails
from cxrcore.figures.palette import ClassStyle
from cxrcore.i18n import t, translate
from cxrcore.messages import Message, msg

_SIDE = 320
_KEPT_BYTES = 10 * 2**20  # of small pictures: about 700
_NO_CLASS = ClassStyle("#888", "solid", "", "●")
_HTML = '<div class="cxr-grid"></div>'
_CSS = """
.cxr-grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); padding: 4px; }
.cxr-grid figure { margin: 0; min-width: 0; }
.cxr-grid .picture { position: relative; display: block; width: 100%; aspect-ratio: 1; padding: 0; border: 0;
  background: #000; border-radius: 6px; overflow: hidden; font: inherit; }
.cxr-grid button.picture { cursor: pointer; }
.cxr-grid .wrong { outline: 3px solid #C0392B; outline-offset: 1px; }
.cxr-grid button.picture:hover { outline: 3px solid var(--st-primary-color); outline-offset: 1px; }
.cxr-grid button.picture:focus-visible { outline: 3px solid var(--st-text-color); outline-offset: 1px; }
.cxr-grid img { width: 100%; height: 100%; object-fit: contain; display: block; }
.cxr-grid .over { position: absolute; inset: 0; }
.cxr-grid .picture:hover .over, .cxr-grid .picture:focus-visible .over { opacity: 0; }
.cxr-grid .gone { color: #ddd; font-size: 13px; padding: 12px; text-align: left; overflow-wrap: anywhere; }
.cxr-grid figcaption { font-size: 13px; line-height: 1.35; padding-top: 5px; overflow-wrap: anywhere; }
.cxr-grid .mark { display: inline-block; width: 13px; margin-right: 3px; }
"""
# Texts from data become text nodes. Cards are replaced only when they have changed: the focus stays on its image.
_JS = """
function made(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
function image(source, className, alt) {
  const element = made("img", className, "");
  element.src = source;
  element.alt = alt;
  element.loading = "lazy";
  return element;
}
function figure(card, number, grid, clickable) {
  const picture = made(clickable ? "button" : "div", card.wrong ? "picture wrong" : "picture", "");
  if (clickable) {
    picture.type = "button";
    picture.onclick = () => grid.open(number);
  }
  if (card.picture) picture.append(image(card.picture, "", card.alt));
  else picture.append(made("div", "gone", card.gone));
  if (card.over) picture.append(image(card.over, "over", ""));
  const caption = made("figcaption", "", "");
  const mark = made("span", "mark", card.mark);
  mark.style.color = card.colour;
  caption.append(mark);
  if (card.wrong) caption.append(made("b", "", card.wrong), " · ");
  caption.append(card.title);
  for (const line of card.lines) caption.append(document.createElement("br"), line);
  const element = made("figure", "", "");
  element.append(picture, caption);
  return element;
}
export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".cxr-grid");
  grid.open = (number) => setTriggerValue("opened", number);
  const content = JSON.stringify(data);
  if (grid.content === content) return;
  grid.content = content;
  grid.replaceChildren(...data.cards.map((card, number) => figure(card, number, grid, data.clickable)));
}
"""
# Not in a shadow root: a dialog that closes could not give the focus back to an image in one.
_grid = st.components.v2.component("cxr_gallery", html=_HTML, css=_CSS, js=_JS, isolate_styles=False)


@dataclass(frozen=True)
class Card:
    """One image of the grid, none if `path` is "". The mark has the colour of class `label`; the texts stand below.

    With `heatmap`, float (h, w), the picture is shown under it, and by itself while the pointer or the focus is on it.
    """

    path: str
    label: str
    title: str
    lines: tuple[str, ...] = ()
    wrong: bool = False
    heatmap: npt.NDArray[np.float32] | None = None


def show(cards: Sequence[Card], classes: Sequence[str], key: str, clickable: bool = True) -> int | None:
    """Show the cards; incorrect ones have a red frame and the word.

    Args:
        cards: what is shown, at most some dozens: their pictures are sent with the page.
        classes: all classes of the run or dataset, which decide the colours.
        key: of the grid, which no other element of the page has.
        clickable: whether a click on a picture, or Enter while it has the focus, is returned.

    Returns:
        The index of the card that was clicked just now, else None.
    """
    styles = palette.class_styles(classes)
    data = {"cards": [content(card, styles) for card in cards], "clickable": clickable}
    result = _grid(key=key, data=data, on_opened_change=_nothing)
    opened = result.get("opened")
    return int(opened) if opened is not None and 0 <= int(opened) < len(cards) else None


def _nothing() -> None:
    """A trigger of a component is returned only if it has a callback."""


def page_of(count: int, size: int, key: str) -> slice:
    """Show page numbers when `count` items need more than one page of `size`; return the page's slice."""
    pages = -(-count // size)
    if pages < 2:
        return slice(0, count)
    number = st.number_input(t("Page (of {pages})", pages=pages), 1, pages, key=key, width=160)
    return slice((int(number) - 1) * size, int(number) * size)


def content(card: Card, styles: Mapping[str, ClassStyle]) -> dict[str, Any]:
    """Return the texts and pictures (data URLs) of a card, as the grid's script reads them; `styles` of the classes."""
    style = styles.get(card.label, _NO_CLASS)
    picture, reason = thumbnail(card.path) if card.path else ("", msg("not opened"))
    over = ""
    if picture and card.heatmap is not None:
        over = _overlay(card.path, modified_at(card.path), card.heatmap)
    return {
        "picture": picture,
        "alt": _described(card),
        "gone": translate(reason),
        "over": over,
        "colour": style.colour,
        "mark": style.mark,
        "wrong": t("incorrect") if card.wrong else "",
        "title": card.title,
        "lines": [line for line in card.lines if line],
    }


def _described(card: Card) -> str:
    """Return the text in place of the picture; to visitors who may change nothing it does not name the file."""
    description = ". ".join([card.title, *card.lines])
    if settings.read_only():
        return t("X-ray: {description}", description=description)
    return t("X-ray {name}: {description}", name=Path(card.path).name, description=description)


def thumbnail(path: str) -> tuple[str, Message]:
    """Return a small picture as a data URL and an empty message, or "" and the reason why there is none."""
    picture, reason = _thumbnail(path, modified_at(path))
    named = picture or settings.read_only()
    return picture, reason if named else msg("{name}: {reason}", name=Path(path).name, reason=reason)


def modified_at(path: str) -> float:
    """Return when the file was written last, 0 if it is gone: part of the cache's key, as a file may be replaced."""
    file = Path(path)
    return file.stat().st_mtime if file.is_file() else 0.0


@cached(LRUCache(_KEPT_BYTES, lambda found: len(found[0]) + 1), lock=Lock())
def _thumbnail(path: str, modified: float) -> tuple[str, Message]:
    try:
        return thumbnails.data_url(thumbnails.small(Path(path), _SIDE)), msg("")
    except ImageError as error:
        return "", error.message


@st.cache_data(max_entries=300, show_spinner=False)
def _overlay(path: str, modified: float, heatmap: npt.NDArray[np.float32]) -> str:
    """Return the picture under its heatmap as a data URL."""
    picture = np.asarray(thumbnails.small(Path(path), _SIDE))
    return thumbnails.data_url(Image.fromarray(overlay(picture, heatmap)))
