"""A dataset at a glance: how many of what, from where, what was left out and why, and what was edited."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import dataset, split
from cxrcore.data.dataset import Dataset
from cxrcore.figures import charts
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback
from cxrcore.ui.data import edit_history


def show(data: Dataset) -> None:
    """Show a dataset."""
    table = data.usable
    feedback.numbers(
        {
            t("Images in use"): len(table),
            t("Patients"): table["patient"].nunique(),
            t("Classes"): len(data.classes),
            t("Left out"): len(data.left_out),
        }
    )
    edit_history.bar(data)
    if data.is_phantom:
        planted = data.about["phantom"].get("planted_class")
        text = t("These are phantoms: drawn by this program, not X-rays of people.")
        marked = t("Every {planted} image carries a planted marker.", planted=translate(planted)) if planted else ""
        st.info(f"{text} {marked}")
    _counts(data, table)
    _left_out(data)
    _sources(data)
    if st.button(t("Train on this dataset"), type="primary", icon=":material/model_training:"):
        st.switch_page("pages/train.py", query_params={"dataset": data.name})
    with st.popover(t("Delete"), icon=":material/delete:"):
        st.markdown(
            t(
                "Deletes **{name}**, all versions. Images in folders of yours stay. Runs keep their numbers, but "
                "not the pictures that were drawn here, uploaded or unpacked.",
                name=data.name,
            )
        )
        if st.button(t("Delete this dataset")):
            dataset.delete(data.name)
            st.rerun()


def _counts(data: Dataset, table: pd.DataFrame) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown(t("**By source**"))
        _bars(table, table["source"], data.classes, "by-source")
    with right:
        if (table["given_split"] != "").any():
            st.markdown(t("**By part, as the source gives it**"))
            _bars(
                table,
                table["given_split"].map(lambda part: translate(part) or t("none")),
                data.classes,
                "by-given-part",
            )
        st.markdown(t("**By part, when split by patient**"))
        with feedback.friendly():
            parts = split.by_patient(table, test=0.2, validation=0.1, seed=0)
            names = [translate(part) for part in split.PARTS]
            _bars(table, parts.map(translate).astype(pd.CategoricalDtype(names)), data.classes, "by-part")


def _bars(table: pd.DataFrame, group: pd.Series, classes: list[str], key: str) -> None:
    counted = pd.crosstab(group, table["label"]).to_dict("index")
    alt = "; ".join(f"{name}: {values}" for name, values in counted.items())
    st.plotly_chart(charts.class_counts(counted, classes), key=key, alt=alt)


def _left_out(data: Dataset) -> None:
    if data.left_out.empty:
        return
    st.subheader(t("Left out, and why"))
    counts = ", ".join(f"{translate(kind)} {count}" for kind, count in data.left_out_counts().items())
    st.caption(t("{rows} rows: {counts}.", rows=len(data.left_out), counts=counts))
    left_out = data.left_out
    table = pd.DataFrame(
        {
            t("file"): [Path(path).name for path in left_out["path"]],
            t("reason"): left_out["left_out"].map(translate),
            t("source"): left_out["source"],
            t("finding"): left_out["finding"],
            t("view"): left_out["view"],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        height=240,
    )


def _sources(data: Dataset) -> None:
    with st.expander(t("Sources and citations")):
        for source in data.about["sources"]:
            st.markdown(f"**{source['layout']}** {source['path']}  \n{translate(source['citation'])}")
