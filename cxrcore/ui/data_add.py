"""Adding a dataset: phantoms drawn here, or folders of X-rays on this machine."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import classes, dataset, importing
from cxrcore.data.phantom import dataset as phantom_dataset
from cxrcore.data.phantom.series import DISEASES
from cxrcore.data.readers import detect
from cxrcore.ui import messages, progress

_LEAVE_OUT = "(leave out)"


def phantoms() -> None:
    """The form that draws phantoms."""
    with st.form("phantoms"):
        st.subheader("Draw phantoms")
        st.caption("Synthetic X-rays with known lungs and lesions. Nobody's data, no network.")
        left, middle, right = st.columns(3)
        name = left.text_input("Name", dataset.free_name("phantom"))
        patients = middle.number_input("Patients in each class", 3, 2000, 60)
        images = right.number_input("Images of each patient", 1, 10, 2)
        seed = left.number_input("Seed", 0, 2**31, 0, help="The same seed draws the same patients.")
        planted = middle.selectbox(
            "Plant a marker",
            ["no", *DISEASES],
            help="Burns a small mark into every image of one class: a shortcut, as a hospital's label may be "
            "one. A model learns the mark instead of the disease.",
        )
        if st.form_submit_button("Draw", type="primary"):
            with messages.friendly():
                move = progress.bar("Drawing phantoms")
                chosen = None if planted == "no" else planted
                phantom_dataset.create(name, int(patients), int(images), int(seed), chosen, move)
                _added(name)


def folders() -> None:
    """The steps that import folders: name them, check the mapping, import."""
    with st.container(border=True):
        st.subheader("Import folders on this machine")
        st.caption(
            "Known layouts: the COVID-19 image data collection (metadata.csv beside images/), folders named "
            "after classes (NORMAL/, PNEUMONIA/, ...), and the tutorials' `X_*.npy` with `Y_*.npy`. "
            "The images stay where they are."
        )
        text = st.text_area("Folders, one a line", placeholder="/home/me/covid-chestxray-dataset\n/home/me/chest_xray")
        paths = [Path(line.strip()) for line in text.splitlines() if line.strip()]
        if not paths:
            return
        with messages.friendly():
            _mapping_and_import(paths)


def _mapping_and_import(paths: list[Path]) -> None:
    found = _findings(tuple(paths))
    options = [*classes.CLASSES, _LEAVE_OUT]
    st.markdown("What each finding counts as:")
    edited = st.data_editor(
        found,
        hide_index=True,
        disabled=["source", "finding", "images"],
        column_config={"class": st.column_config.SelectboxColumn(options=options, required=True)},
        key=f"mapping {paths}",
    )
    name = st.text_input("Name of the dataset", dataset.free_name("mydata"))
    if st.button("Import", type="primary"):
        move = progress.bar("Opening images")
        mapping = {
            f"{row['source']}/{row['finding']}": row["class"].replace(_LEAVE_OUT, "") for _, row in edited.iterrows()
        }
        importing.import_folders(paths, name, mapping, progress=move)
        _added(name)


@st.cache_data(max_entries=8, ttl=60, show_spinner="Looking into the folders")
def _findings(paths: tuple[Path, ...]) -> pd.DataFrame:
    """Return what the folders hold: source, finding, number of images and the class by default."""
    readings = [reading for path in paths for reading in detect.read(path)]
    table = importing.merged(readings, {})
    table = table[~table["left_out"].str.startswith(("view", "repeated"))]
    counts = table.groupby(["source", "finding", "label"]).size().reset_index(name="images")
    counts["class"] = counts.pop("label").replace("", _LEAVE_OUT)
    return counts


def _added(name: str) -> None:
    st.session_state["in_view_dataset"] = name
    st.query_params["dataset"] = name
    st.toast(f"Dataset {name} is ready.", icon=":material/check_circle:")
    st.rerun()
