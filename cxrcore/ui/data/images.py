"""The images of a dataset: filter, look at one, relabel, exclude and restore."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.audits.dataset import audit
from cxrcore.data import classes, editing, exclusions, split
from cxrcore.data.dataset import PART_TITLES, PARTS, Dataset
from cxrcore.i18n import N_, t, translate
from cxrcore.ui import feedback, gallery, query_params, sample_view
from cxrcore.ui.data import edit_history, samples

_PER_PAGE = 24
_USED, _LEFT_OUT, _ALL = N_("in use"), N_("left out"), N_("all")


def show(data: Dataset) -> None:
    """Show the filters and one page of the images that fit them."""
    edit_history.show(data)
    shown = _filtered(data)
    if shown.empty:
        st.info(t("No image fits these filters. Choose more classes or another issue."), icon=":material/info:")
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        counted = t("{shown} of {table} images.", shown=len(shown), table=len(data.table))
        st.caption(f"{counted} {t('A click on an image shows it large, to relabel or exclude it.')}")
        _edit_all(data, shown)
    with right:
        page = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, "images page")]
    cards = [_card(row) for _, row in page.iterrows()]
    sample_view.grid(
        cards,
        data.classes,
        "images",
        shown["row"].tolist(),
        page["row"].tolist(),
        lambda number: samples.sample(data, number),
        below=lambda number: _edit(data, data.table.loc[number]),
    )


def _edit_all(data: Dataset, shown: pd.DataFrame) -> None:
    """Offer one edit for all images that fit the filters."""
    with st.popover(t("Edit all {shown}", shown=len(shown)), icon=":material/edit:"), feedback.friendly():
        st.caption(t("Applies to every image that fits the filters, on all pages. One new version; can be undone."))
        label = st.selectbox(t("Relabel all as"), data.info.classes, format_func=classes.label, key="relabel all as")
        rows = shown["row"].tolist()
        if st.button(t("Relabel all")) and label:
            editing.relabel(data.name, rows, label)
            st.rerun()
        if st.button(t("Exclude all")):
            editing.exclude(data.name, rows)
            st.rerun()
        if st.button(t("Restore all")):
            editing.restore(data.name, rows)
            st.rerun()


def _filtered(data: Dataset) -> pd.DataFrame:
    table = data.table
    places = st.columns(4)
    use = query_params.selectbox(places[0], t("Status"), "use", [_USED, _LEFT_OUT, _ALL])
    label = query_params.selectbox(
        places[1], t("Class"), "class", ["", *data.classes], lambda name: classes.label(name) if name else t("all")
    )
    source = query_params.selectbox(
        places[2], t("Source"), "source", ["", *sorted(table["source"].unique())], lambda name: name or t("all")
    )
    found = samples.last_audit(data)
    issues = {f"{issue.kind}:{issue.what}": issue for issue in (found.issues if found else [])}
    chosen = query_params.selectbox(
        places[3],
        t("Issue"),
        "issue",
        ["", *issues],
        lambda code: translate(audit.title(issues[code])) if code else t("all"),
        help=t("Issues that the audit found in this dataset. Empty until it was run."),
    )
    given = (table["given_split"] != "").any()
    title = t("Given split") if given else t("Split by patient")
    key = query_params.start("part", PARTS, None)
    part = st.pills(title, PARTS, format_func=lambda part: translate(PART_TITLES[part]), key=key)
    query_params.keep("part", part, None)
    if part:
        parts = table["given_split"] if given else split.by_patient(table[table["left_out"] == ""])
        table = table[parts.reindex(table.index) == part]
    if use != _ALL:
        table = table[(table["left_out"] == "") == (use == _USED)]
    if label:
        table = table[table["label"] == label]
    if source:
        table = table[table["source"] == source]
    return table[table["row"].isin(issues[chosen].rows)] if chosen else table


def _card(row: "pd.Series[Any]") -> gallery.Card:
    reason = translate(exclusions.reason(row["left_out_reason"]))
    lines = (_short(Path(row["path"]).name), reason or row["view"] or t("view unknown"))
    path = row["path"] if row["sha256"] else ""  # a file that the import rejected is not opened
    title = classes.label(row["label"]) or classes.finding_label(row["finding"])
    return gallery.Card(path, row["label"], title, lines)


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:11]}…{name[-10:]}"


def _edit(data: Dataset, row: "pd.Series[Any]") -> None:
    number = int(row["row"])
    others = [name for name in data.info.classes if name != row["label"]]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(t("Relabel as"), others, format_func=classes.label, width=190)
        if st.button(t("Relabel"), disabled=not row["sha256"]):
            editing.relabel(data.name, [number], label)
            st.rerun()
    if row["left_out"]:
        if st.button(t("Restore this image"), icon=":material/restore:"):
            editing.restore(data.name, [number])
            st.rerun()
    elif st.button(t("Exclude this image"), icon=":material/block:"):
        editing.exclude(data.name, [number])
        st.rerun()
    st.caption(t("Every edit makes a new version of the dataset and can be undone."))
