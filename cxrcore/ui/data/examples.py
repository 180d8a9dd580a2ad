"""Some images of each class, and how age, sex, view and size are distributed within the classes."""

import time

import pandas as pd
import streamlit as st

from cxrcore.data import classes, distributions
from cxrcore.data.dataset import Dataset
from cxrcore.data.distributions import Distribution
from cxrcore.data.summary import DatasetSummary
from cxrcore.figures import distributions as figures
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, t, translate
from cxrcore.ui import feedback, gallery, kept_figures, progress, sample_view
from cxrcore.ui.data import samples

MOST = 10  # classes that are shown at once
_SOON = 0.5  # seconds without a bar
# Six beside each other, three on a phone.
_STYLE = """<style>
.st-key-examples .cxr-grid { grid-template-columns: repeat(6, 1fr); gap: 10px; }
@media (max-width: 640px) { .st-key-examples .cxr-grid { grid-template-columns: repeat(3, 1fr); } }
</style>"""


def show(data: Dataset, found: DatasetSummary) -> None:
    """Show the examples and the histograms, of all classes or, where there are many, of the one that is chosen."""
    names, chosen = list(found.flow.included), ""
    if len(names) > MOST:
        chosen = st.selectbox(t("Class"), names, format_func=classes.label, key="class of examples", width=400)
    rows = [row for name in ([chosen] if chosen else names) for row in found.examples[name]]
    cards = [_card(row) for _, row in data.table.loc[rows].iterrows()]
    _open(cards)
    with st.container(key="examples"):
        st.html(_STYLE)
        sample_view.grid(cards, names, "examples grid", rows, rows, lambda row: samples.sample(data, row))
    if found.distributions:
        st.subheader(t("Distribution by class"))
        _histograms(found, names, chosen)


def _card(row: "pd.Series[object]") -> gallery.Card:
    known = [str(row[column]) for column in ("view", "age", "sex") if row[column]]
    return gallery.Card(str(row["path"]), str(row["label"]), classes.label(str(row["label"])), (" · ".join(known),))


def _open(cards: list[gallery.Card]) -> None:
    """Make the small pictures of the cards that the grid shows; a bar shows how far it is if it takes long."""
    place, start, move = st.empty(), time.monotonic(), None
    for done, card in enumerate(cards, 1):
        gallery.thumbnail(card.path)
        if move is None and time.monotonic() - start > _SOON:
            with place:
                move = progress.bar(t("Opening images"), t("images"))
        if move:
            move(done, len(cards))
    place.empty()


def _histograms(found: DatasetSummary, names: list[str], chosen: str) -> None:
    rows = [st.columns(2) for _ in range(0, len(found.distributions), 2)]  # a phone then keeps the order
    for number, (column, values) in enumerate(found.distributions.items()):
        title = translate(distributions.COLUMNS[column])
        title = title[:1].upper() + title[1:]
        shown = values.against_others(chosen, t("other classes")) if chosen else values
        with rows[number // 2][number % 2]:
            figure, alt = kept_figures.made(figures.histogram, shown, title, names), _in_words(title, shown)
            st.plotly_chart(figure, key=f"histogram {column}", alt=alt, config={"displayModeBar": False})
            if values.unknown:
                st.caption(_unknown(values))
    st.caption(t("Shares of the images of a class whose value is known."))


def _unknown(values: Distribution) -> str:
    share = format_number(values.unknown, ".1%")
    without = [name for name, counts in values.counts.items() if not any(counts)]
    if not without:
        return t("Unknown for {share} of the images.", share=share)
    return t(
        "Unknown for {share} of the images, among them all of {classes}.",
        share=share,
        classes=feedback.plain_text(formatting.class_list(without)),
    )


def _in_words(title: str, found: Distribution) -> str:
    described = []
    for name, counts in found.counts.items():
        pairs = ", ".join(f"{value} {n}" for value, n in zip(found.values, counts, strict=True))
        described.append(f"{classes.label(name)}: {pairs}")
    return f"{title}. {'; '.join(described)}"
