"""The images of a dataset: filtered, paged, opened large; relabelled, excluded, restored."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.audits.dataset import audit
from cxrcore.data import classes, editing, split
from cxrcore.data.dataset import PARTS, Dataset
from cxrcore.data.images import ImageError, display
from cxrcore.i18n import N_, bind, t, translate
from cxrcore.ui import feedback, gallery, query_params
from cxrcore.ui.data import edit_history

_PER_PAGE = 24
_USED, _LEFT_OUT, _BOTH = N_("in use"), N_("left out"), N_("all")
_SHOWN = ["label", "finding", "patient", "source", "view", "sex", "age", "given_split", "format", "left_out", "path"]


def show(data: Dataset) -> None:
    """Show the filters and the page of images that they leave."""
    edit_history.bar(data)
    shown = _filtered(data)
    if shown.empty:
        st.info(t("No image fits these choices. Choose more classes or another finding."), icon=":material/info:")
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        st.caption(
            t(
                "{shown} of {table} images. Enlarge one to relabel or exclude it.",
                shown=len(shown),
                table=len(data.table),
            )
        )
        _edit_all(data, shown)
    with right:
        page = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, "images page")]
    opened = gallery.clickable([_card(row) for row in page.itertuples()], data.classes, key="images")
    if opened is not None:
        st.dialog(t("Image"), width="large")(bind(_image))(data, int(page["row"].iloc[opened]))


def _edit_all(data: Dataset, shown: pd.DataFrame) -> None:
    """Offer one edit for all images that the filters leave."""
    with st.popover(t("Edit all {shown}", shown=len(shown)), icon=":material/edit:"), feedback.friendly():
        st.caption(t("Applies to every image that these choices leave, on all pages. One new version; can be undone."))
        label = st.selectbox(t("Relabel all as"), classes.CLASSES, format_func=translate, key="relabel all as")
        rows = shown["row"].tolist()
        if st.button(t("Relabel all")):
            editing.relabel(data.name, rows, label)
            st.rerun()
        if st.button(t("Exclude all")):
            editing.exclude(data.name, rows)
            st.rerun()
        if st.button(t("Use all again")):
            editing.restore(data.name, rows)
            st.rerun()


def _filtered(data: Dataset) -> pd.DataFrame:
    table = data.table
    a, b, c, d = st.columns(4)
    use = query_params.selectbox(a, t("Which"), "use", [_USED, _LEFT_OUT, _BOTH])
    label = query_params.selectbox(b, t("Class"), "class", ["", *data.classes], _or_all)
    source = query_params.selectbox(
        c, t("Source"), "source", ["", *sorted(table["source"].unique())], lambda name: name or t("all")
    )
    findings = {f"{f['kind']}: {f['what']}": f["rows"] for f in (audit.last(data) or {"findings": []})["findings"]}
    finding = query_params.selectbox(
        d, t("Finding of the check"), "finding", ["", *findings], _or_all,
        help=t("What Check found in this dataset. Empty until it was run."),
    )  # fmt: skip
    given = (table["given_split"] != "").any()
    title = t("Part, as the source gives it") if given else t("Part, when split by patient")
    part = st.pills(title, PARTS, format_func=translate, key=query_params.start("part", PARTS, None))
    query_params.keep("part", part, None)
    if part:
        parts = table["given_split"] if given else _by_patient(data)
        table = table[parts.reindex(table.index) == part]
    if use != _BOTH:
        table = table[(table["left_out"] == "") == (use == _USED)]
    if label:
        table = table[table["label"] == label]
    if source:
        table = table[table["source"] == source]
    return table if not finding else table[table["row"].isin(findings[finding])]


def _or_all(name: str) -> str:
    return translate(name) or t("all")


def _by_patient(data: Dataset) -> pd.Series:
    used = data.table[data.table["left_out"] == ""]
    return split.by_patient(used, test=0.2, validation=0.1, seed=0)


def _card(row: tuple) -> gallery.Card:
    lines = (_short(Path(row.path).name), translate(row.left_out) or row.view or t("view unknown"))  # type: ignore[attr-defined]
    path = row.path if row.sha256 else ""  # type: ignore[attr-defined] # what was refused at the import stays unread
    return gallery.Card(path, row.label, translate(row.label) or row.finding, lines)  # type: ignore[attr-defined]


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:11]}…{name[-10:]}"


def _image(data: Dataset, number: int) -> None:
    row = data.table.loc[number]
    left, right = st.columns([3, 2])
    with left, feedback.friendly():
        if not row["sha256"]:
            raise ImageError("Not shown, as it was not opened at the import: {left_out}", left_out=row["left_out"])
        st.image(display(Path(row["path"]), longest=1200), caption=feedback.plain_text(Path(row["path"]).name))
    with right:
        known = {translate(name.replace("_", " ")): translate(str(row[name])) for name in _SHOWN if row[name]}
        if row["width"]:
            known[t("pixels")] = t(
                "{width} x {height}, {bits} bits", width=row["width"], height=row["height"], bits=row["bits"]
            )
        st.dataframe(pd.Series(known, name=t("value")), height="content")
        with feedback.friendly():
            _edit(data, row)


def _edit(data: Dataset, row: pd.Series) -> None:
    number = int(row["row"])
    others = [name for name in classes.CLASSES if name != row["label"]]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox(t("Relabel as"), others, format_func=translate, width=190)
        if st.button(t("Relabel"), disabled=not row["sha256"]):
            editing.relabel(data.name, [number], label)
            st.rerun()
    if row["left_out"]:
        if st.button(t("Use this image again"), icon=":material/restore:"):
            editing.restore(data.name, [number])
            st.rerun()
    elif st.button(t("Exclude this image"), icon=":material/block:"):
        editing.exclude(data.name, [number])
        st.rerun()
    st.caption(t("Every edit makes a new version of the dataset and can be undone."))
