"""Overview of a dataset: counts, split, what was left out and why, sources."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import classes, dataset, exclusions, split
from cxrcore.data.dataset import PART_TITLES, Dataset
from cxrcore.data.readers.base import LAYOUTS
from cxrcore.figures import charts
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback
from cxrcore.ui.data import class_editor, edit_history


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
    edit_history.show(data)
    if phantom := data.info.phantom:
        text = t("These are phantoms: synthetic images made by this program, not X-rays of people.")
        if phantom.planted_class:
            name = feedback.plain_text(classes.label(phantom.planted_class))
            text += " " + t("Every {name} image carries a confounding marker.", name=name)
        st.info(text)
    for note in data.info.notes:
        st.warning(feedback.plain_text(translate(note)))
    _counts(data, table)
    class_editor.show(data)
    _left_out(data)
    _sources(data)
    if st.button(t("Train on this dataset"), type="primary", icon=":material/model_training:"):
        st.switch_page("pages/train.py", query_params={"dataset": data.name})
    with st.popover(t("Delete"), icon=":material/delete:"):
        st.markdown(
            t(
                "Deletes **{name}** with all versions. Images in your own folders stay. Runs keep their results, but "
                "not the images that were generated here, uploaded or unpacked.",
                name=feedback.plain_text(data.name),
            )
        )
        if st.button(t("Delete this dataset")):
            dataset.delete(data.name)
            st.rerun()


def _counts(data: Dataset, table: pd.DataFrame) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown(t("**Images by source**"))
        _bars(table, table["source"], data.classes, "by-source")
    with right:
        if (table["given_split"] != "").any():
            st.markdown(t("**Given split**"))
            titles = table["given_split"].map(lambda part: translate(PART_TITLES[part]) if part else t("none"))
            _bars(table, titles, data.classes, "by-given-part")
        st.markdown(t("**Training, validation and test split**"))
        st.caption(t("Split by patient, with the default shares."))
        with feedback.friendly():
            titles = {part: translate(title) for part, title in PART_TITLES.items()}
            parts = split.by_patient(table).map(titles)
            _bars(table, parts.astype(pd.CategoricalDtype(list(titles.values()))), data.classes, "by-part")


def _bars(table: pd.DataFrame, group: pd.Series, names: list[str], key: str) -> None:
    crossed = pd.crosstab(group, table["label"])
    counts = {str(name): {str(label): int(n) for label, n in row.items()} for name, row in crossed.iterrows()}
    described = [
        f"{name}: " + ", ".join(f"{classes.label(label)} {n}" for label, n in row.items())
        for name, row in counts.items()
    ]
    st.plotly_chart(charts.class_counts(counts, names), key=key, alt="; ".join(described))


def _left_out(data: Dataset) -> None:
    left_out = data.left_out
    if left_out.empty:
        return
    st.subheader(t("Images left out"))
    counts = ", ".join(
        f"{translate(exclusions.KINDS.get(kind, kind))} {count}" for kind, count in data.left_out_counts().items()
    )
    st.caption(t("{rows} rows: {counts}.", rows=len(left_out), counts=counts))
    table = pd.DataFrame(
        {
            t("file"): [Path(path).name for path in left_out["path"]],
            t("why"): [translate(exclusions.KINDS.get(kind, kind)) for kind in left_out["left_out"]],
            t("reason"): [translate(exclusions.reason(stored)) for stored in left_out["left_out_reason"]],
            t("source"): left_out["source"],
            t("finding"): left_out["finding"].map(classes.finding_label),
            t("view"): left_out["view"],
        }
    )
    st.dataframe(table, hide_index=True, height=240)


def _sources(data: Dataset) -> None:
    with st.expander(t("Sources and citations")):
        for source in data.info.sources:
            layout = translate(LAYOUTS.get(source.layout, source.layout))
            path, citation = (feedback.plain_text(text) for text in (source.path, translate(source.citation)))
            st.markdown(f"**{feedback.plain_text(layout)}** {path}  \n{citation}")
