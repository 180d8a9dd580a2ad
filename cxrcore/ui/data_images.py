"""The images of a dataset: filtered, paged, opened large; relabelled, excluded, restored."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.audit import audit
from cxrcore.data import classes, editing
from cxrcore.data.dataset import Dataset
from cxrcore.data.images import display
from cxrcore.ui import data_edits, gallery, messages

_PER_PAGE = 24
_SHOWN = ["label", "finding", "patient", "source", "view", "sex", "age", "given_split", "format", "left_out", "path"]


def show(data: Dataset) -> None:
    """Show the filters and the page of images that they leave."""
    data_edits.bar(data)
    shown = _filtered(data)
    if shown.empty:
        st.info("No image fits these choices. Choose more classes or another finding.", icon=":material/info:")
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    left.caption(f"{len(shown)} of {len(data.table)} images. Open one to see it large, relabel or exclude it.")
    with right:
        page = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, "images page")]
    opened = gallery.clickable([_card(row) for row in page.itertuples()], data.classes, key="images")
    if opened is not None:
        _dialog(data, int(page["row"].iloc[opened]))


def _filtered(data: Dataset) -> pd.DataFrame:
    table = data.table
    a, b, c, d = st.columns(4)
    use = a.selectbox("Which", ["in use", "left out", "all"], key="use", bind="query-params")
    label = b.selectbox("Class", ["all", *data.classes], key="class", bind="query-params")
    source = c.selectbox("Source", ["all", *sorted(table["source"].unique())], key="source", bind="query-params")
    findings = {f"{f['kind']}: {f['what']}": f["rows"] for f in (audit.last(data) or {"findings": []})["findings"]}
    finding = d.selectbox(
        "Finding of the check", ["all", *findings], key="finding", bind="query-params",
        help="What Check found in this dataset. Empty until it was run.",
    )  # fmt: skip
    parts = [part for part in ("train", "validation", "test") if (table["given_split"] == part).any()]
    if len(parts) > 1:
        chosen = st.pills("Part, as the source gives it", parts, key="part", bind="query-params")
        table = table[table["given_split"] == chosen] if chosen else table
    if use != "all":
        table = table[(table["left_out"] == "") == (use == "in use")]
    if label != "all":
        table = table[table["label"] == label]
    if source != "all":
        table = table[table["source"] == source]
    return table if finding == "all" else table[table["row"].isin(findings[finding])]


def _card(row: tuple) -> gallery.Card:
    lines = (_short(Path(row.path).name), row.left_out or row.view or "view unknown")  # type: ignore[attr-defined]
    return gallery.Card(row.path, row.label, row.label or row.finding, lines)  # type: ignore[attr-defined]


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:11]}…{name[-10:]}"


@st.dialog("Image", width="large")
def _dialog(data: Dataset, number: int) -> None:
    row = data.table.loc[number]
    left, right = st.columns([3, 2])
    with left, messages.friendly():
        st.image(display(Path(row["path"]), longest=1200), caption=Path(row["path"]).name)
    with right:
        known = {name: str(row[name]) for name in _SHOWN if row[name]}
        if row["width"]:
            known["pixels"] = f"{row['width']} x {row['height']}, {row['bits']} bits"
        st.dataframe(pd.Series(known, name="value"), height="content")
        with messages.friendly():
            _edit(data, row)


def _edit(data: Dataset, row: pd.Series) -> None:
    number = int(row["row"])
    others = [name for name in classes.CLASSES if name != row["label"]]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Relabel as", others, width=190)
        if st.button("Relabel", disabled=not row["sha256"]):
            editing.relabel(data.name, [number], label)
            st.rerun()
    if row["left_out"]:
        if st.button("Use this image again", icon=":material/restore:"):
            editing.restore(data.name, [number])
            st.rerun()
    elif st.button("Exclude this image", icon=":material/block:"):
        editing.exclude(data.name, [number])
        st.rerun()
    st.caption("Every edit makes a new version of the dataset and can be undone.")
