"""A dataset at a glance: how many of what, from where, what was left out and why, and what was edited."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import dataset, split
from cxrcore.data.dataset import Dataset
from cxrcore.report import figures
from cxrcore.ui import data_edits, messages


def show(data: Dataset) -> None:
    """Show a dataset."""
    table = data.usable
    messages.numbers(
        {
            "Images in use": len(table),
            "Patients": table["patient"].nunique(),
            "Classes": len(data.classes),
            "Left out": len(data.left_out),
        }
    )
    data_edits.bar(data)
    if data.is_phantom:
        planted = data.about["phantom"].get("planted_class")
        text = "These are phantoms: drawn by this program, not X-rays of people."
        st.info(text + (f" Every {planted} image carries a planted marker." if planted else ""))
    _counts(data, table)
    _left_out(data)
    _sources(data)
    if st.button("Train on this dataset", type="primary", icon=":material/model_training:"):
        st.switch_page("pages/train.py", query_params={"dataset": data.name})
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(
            f"Deletes **{data.name}**, all versions. Images in folders of yours stay. Runs keep their numbers, but "
            f"not the pictures that were drawn here, uploaded or unpacked."
        )
        if st.button("Delete this dataset"):
            dataset.delete(data.name)
            st.rerun()


def _counts(data: Dataset, table: pd.DataFrame) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown("**By source**")
        _bars(table, table["source"], data.classes, "by-source")
    with right:
        if (table["given_split"] != "").any():
            st.markdown("**By part, as the source gives it**")
            _bars(table, table["given_split"].replace("", "none"), data.classes, "by-given-part")
        st.markdown("**By part, when split by patient**")
        with messages.friendly():
            parts = split.by_patient(table, test=0.2, validation=0.1, seed=0)
            _bars(table, parts.astype(pd.CategoricalDtype(list(split.PARTS))), data.classes, "by-part")


def _bars(table: pd.DataFrame, group: pd.Series, classes: list[str], key: str) -> None:
    counted = pd.crosstab(group, table["label"]).to_dict("index")
    alt = "; ".join(f"{name}: {counts}" for name, counts in counted.items())
    st.plotly_chart(figures.class_counts(counted, classes), key=key, alt=alt)


def _left_out(data: Dataset) -> None:
    if data.left_out.empty:
        return
    st.subheader("Left out, and why")
    counts = ", ".join(f"{count} by {kind}" for kind, count in data.left_out_counts().items())
    st.caption(f"{len(data.left_out)} rows: {counts}.")
    table = data.left_out.assign(file=[Path(path).name for path in data.left_out["path"]])
    st.dataframe(
        table[["file", "left_out", "source", "finding", "view"]].rename(columns={"left_out": "reason"}),
        hide_index=True,
        height=240,
    )


def _sources(data: Dataset) -> None:
    with st.expander("Sources and citations"):
        for source in data.about["sources"]:
            st.markdown(f"**{source['layout']}** {source['path']}  \n{source['citation']}")
