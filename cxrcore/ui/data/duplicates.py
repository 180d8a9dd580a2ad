"""Duplicates beside each other with their difference, a few pairs at a time."""

from html import escape
from pathlib import Path

import streamlit as st

from cxrcore.audits.dataset.issues import Issue
from cxrcore.data import classes
from cxrcore.data.dataset import Dataset
from cxrcore.data.errors import ImageError
from cxrcore.figures import difference, palette
from cxrcore.figures.difference import Comparison
from cxrcore.i18n import format_number, t, translate
from cxrcore.messages import Message, msg
from cxrcore.ui import gallery

_PER_PAGE = 3
_SIDE = 320
_STYLE = """<style>
.cxr-pair { display: grid; grid-template-columns: repeat(3, minmax(0, 300px)); gap: 10px; margin-bottom: 14px; }
.cxr-pair figure { margin: 0; }
.cxr-pair img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; display: block; }
.cxr-pair img { border-radius: 6px; }
.cxr-pair figcaption { font-size: 13px; line-height: 1.35; padding-top: 5px; overflow-wrap: anywhere; }
.cxr-pair .mark { display: inline-block; width: 13px; margin-right: 3px; }
</style>"""


def show(data: Dataset, issue: Issue, number: int) -> None:
    """Show the pairs of an issue that has groups: the first image of a group with each other one."""
    groups = [[row for row in group if row in data.table.index] for group in issue.groups]
    pairs = [(group[0], other) for group in groups for other in group[1:]]
    page = pairs[gallery.page_of(len(pairs), _PER_PAGE, f"pairs {number}")]
    st.html(_STYLE + "".join(_pair(data, *pair) for pair in page))


def _pair(data: Dataset, first: int, second: int) -> str:
    paths = [str(data.table.loc[row, "path"]) for row in (first, second)]
    found, problem = _compared(paths[0], paths[1], *map(gallery.modified_at, paths))
    if found is None:
        return f"<p>{escape(translate(problem))}</p>"
    labels = [str(data.table.loc[row, "label"]) for row in (first, second)]
    styles, figures = palette.class_styles(data.classes), []
    for path, label, picture in zip(paths, labels, (found.first, found.second), strict=True):
        style = styles.get(label)
        mark = f'<span class="mark" style="color:{style.colour}">{style.mark}</span>' if style else ""
        title = classes.label(label) or t("no class")
        caption = f"{mark}{escape(title)}<br>{escape(Path(path).name)}"
        figures.append(_figure(picture, t("X-ray {name}", name=Path(path).name), caption))
    mean = t(
        "difference, {gain} times as bright: mean {mean} of 255 grey levels",
        gain=difference.GAIN,
        mean=format_number(found.mean, ".1f"),
    )
    figures.append(_figure(found.difference, mean, escape(mean)))
    return f'<div class="cxr-pair">{"".join(figures)}</div>'


def _figure(picture: str, alt: str, caption: str) -> str:
    image = f'<img src="{picture}" alt="{escape(alt, quote=True)}" loading="lazy">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


@st.cache_data(max_entries=40, show_spinner=False)
def _compared(first: str, second: str, *modified: float) -> tuple[Comparison | None, Message]:
    """Return the pair and an empty message, or None and why it cannot be shown; it is read again if a file changed."""
    try:
        return difference.compare(Path(first), Path(second), _SIDE), msg("")
    except ImageError as error:
        return None, error.message
