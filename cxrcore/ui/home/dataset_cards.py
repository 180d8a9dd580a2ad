"""Datasets on Home: a card for each of the newest, with a bar for each class."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from cxrcore.data import classes, dataset
from cxrcore.data.dataset import KnownDataset
from cxrcore.figures import formatting, palette
from cxrcore.files import Stamp
from cxrcore.i18n import format_number, nt, t
from cxrcore.ui import feedback

_MOST = 6
_CLASSES = 4  # bars of a card
_LONGEST = 28  # characters of a class name
_STYLE = """<style>
.cxr-classes { display: grid; grid-template-columns: minmax(60px, auto) 1fr auto; gap: 4px 8px; align-items: center; }
.cxr-classes { font-size: 13px; line-height: 1.25; }
.cxr-classes .name { overflow-wrap: anywhere; max-width: 130px; }
.cxr-classes .bar { height: 10px; border-radius: 3px; min-width: 2px; }
</style>"""


@dataclass(frozen=True)
class Summary:
    """What a card shows: images in use, their patients, and images by class, all classes in the dataset's order."""

    images: int
    patients: int
    counts: dict[str, int]


def show(datasets: Sequence[KnownDataset]) -> None:
    """Show the newest datasets, and a link to the others."""
    st.subheader(t("Datasets"))
    newest = sorted(datasets, key=lambda known: (known.created, known.name), reverse=True)[:_MOST]
    for start in range(0, len(newest), 3):
        for column, known in zip(st.columns(3), newest[start : start + 3], strict=False):
            with column.container(border=True, height="stretch", gap="xsmall"), feedback.friendly():
                label = f"**{feedback.plain_text(known.name)}**"
                query = {"dataset": known.name}
                st.page_link("pages/data.py", label=label, icon=":material/folder_open:", query_params=query)
                _card(_summary(known.name, known.read))
    if len(datasets) > len(newest):
        label = nt("All {n} datasets", "All {n} datasets", len(datasets))
        st.page_link("pages/data.py", label=label, icon=":material/folder_open:")


def _card(found: Summary) -> None:
    images = nt("{n} image", "{n} images", found.images)
    patients = nt("{n} patient", "{n} patients", found.patients)
    st.caption(f"{images} · {patients}")
    st.html(_STYLE + bars(found.counts))


def bars(counts: dict[str, int]) -> str:
    """Return the HTML of a bar for each of the largest classes in the class's colour, and how many more there are."""
    styles, most = palette.class_styles(list(counts)), max(counts.values(), default=0)
    rows = ""
    for name in sorted(counts, key=lambda name: -counts[name])[:_CLASSES]:
        style, label = styles[name], escape(formatting.shortened(classes.label(name), _LONGEST))
        width = f"width:{100 * counts[name] / most:.1f}%"
        rows += f'<span class="name"><span style="color:{style.colour}">{style.mark}</span> {label}</span>'
        rows += f'<span><div class="bar" style="{width};background:{style.colour}"></div></span>'
        rows += f"<span>{format_number(counts[name], ',d')}</span>"
    others = len(counts) - _CLASSES
    more = escape(nt("{n} more class", "{n} more classes", others)) if others > 0 else ""
    return f'<div class="cxr-classes">{rows}{more and f"<span>{more}</span>"}</div>'


@st.cache_data(max_entries=64, show_spinner=False)
def _summary(name: str, read: tuple[Stamp, ...]) -> Summary:
    """Return what a card shows; `read` are the stamps of its files."""
    data = dataset.load(name)
    return Summary(len(data.usable), int(data.usable["patient"].nunique()), data.counts())
