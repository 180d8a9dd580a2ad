"""Overview of a dataset: some images, distributions, flow of the images into the split, sources."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import classes, dataset, exclusions, summary
from cxrcore.data.dataset import PART_TITLES, Dataset
from cxrcore.data.readers.base import LAYOUTS
from cxrcore.data.summary import DatasetSummary
from cxrcore.evaluation import subgroups
from cxrcore.figures import charts, flow_diagram, palette
from cxrcore.i18n import t, translate
from cxrcore.reports.run_summary import image_id
from cxrcore.ui import csv_table, feedback, kept_figures
from cxrcore.ui.data import class_editor, edit_history, examples


def show(data: Dataset) -> None:
    """Show a dataset."""
    found = _summary(data.folder, (data.folder / dataset.TABLE).stat().st_mtime_ns, data.version, data)
    feedback.numbers(
        {
            t("Images in use"): found.images,
            t("Patients"): found.patients,
            t("Classes"): len(found.flow.included),
            t("Left out"): found.flow.excluded,
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
    examples.show(data, found)
    _flow_and_counts(data, found)
    class_editor.show(data)
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


@st.cache_data(max_entries=16, show_spinner=False)
def _summary(folder: Path, written: int, version: int, _data: Dataset) -> DatasetSummary:
    """Return the summary; a dataset of the same name that is `written` later is another one."""
    return summary.summarise(_data)


def _flow_and_counts(data: Dataset, found: DatasetSummary) -> None:
    (left, right), names = st.columns(2, gap="large"), list(found.flow.included)
    with left:
        st.subheader(t("Flow of the images"))
        # As a picture: `st.html` leaves out SVG.
        ink = palette.INK[st.context.theme.type or "light"]
        drawing, described = flow_diagram.svg(found.flow, names, ink), flow_diagram.in_words(found.flow)
        st.image(drawing, width=flow_diagram.WIDTH, alt=described)
        if found.split_problem:
            st.warning(feedback.error_text(found.split_problem))
        else:
            st.caption(t("Split by patient, with the default shares."))
    with right:
        st.subheader(t("Images by class"))
        if found.parts:
            titles = {translate(PART_TITLES[part]): counts for part, counts in found.parts.items()}
            _bars(t("Training, validation and test split"), titles, names, "by-part")
        if found.given:
            titles = {translate(PART_TITLES[part]) if part else t("none"): n for part, n in found.given.items()}
            _bars(t("Given split"), titles, names, "by-given-part")
        _bars(t("Source"), found.sources, names, "by-source")
    if found.flow.left_out:
        box = st.expander(t("Images left out"), icon=":material/table:", key="left out", on_change="rerun")
        if box.open:  # there may be a hundred thousand
            with box:
                csv_table.content(_left_out(data), "left-out.csv", _neutral(data))


def _bars(title: str, counts: dict[str, dict[str, int]], names: list[str], key: str) -> None:
    described = [
        f"{name}: " + ", ".join(f"{classes.label(label)} {n}" for label, n in row.items())
        for name, row in counts.items()
    ]
    figure = kept_figures.made(charts.class_counts, counts, names, title)
    st.plotly_chart(figure, key=key, alt=f"{title}. {'; '.join(described)}", config={"displayModeBar": False})


def _left_out(data: Dataset) -> pd.DataFrame:
    left_out = data.left_out
    return pd.DataFrame(
        {
            t("file"): [Path(path).name for path in left_out["path"]],
            t("why"): [translate(exclusions.KINDS.get(kind, kind)) for kind in left_out["left_out"]],
            t("reason"): [translate(exclusions.reason(stored)) for stored in left_out["left_out_reason"]],
            t("source"): left_out["source"],
            t("finding"): left_out["finding"].map(classes.finding_label),
            t("view"): left_out["view"],
        }
    )


def _neutral(data: Dataset) -> pd.DataFrame:
    """Return the images that are left out as other exports name them: without names of files, folders and sources."""
    left_out, numbers = data.left_out, subgroups.source_numbers(data.table["source"])
    return pd.DataFrame(
        {
            t("name in exports"): [image_id(digest) for digest in left_out["sha256"]],
            t("why"): [translate(exclusions.KINDS.get(kind, kind)) for kind in left_out["left_out"]],
            t("source"): left_out["source"].map(numbers),
            t("view"): left_out["view"],
        }
    )


def _sources(data: Dataset) -> None:
    with st.expander(t("Sources and citations")):
        for source in data.info.sources:
            layout = translate(LAYOUTS.get(source.layout, source.layout))
            path, citation = (feedback.plain_text(text) for text in (source.path, translate(source.citation)))
            st.markdown(f"**{feedback.plain_text(layout)}** {path}  \n{citation}")
