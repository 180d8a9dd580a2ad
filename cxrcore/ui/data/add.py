"""Adding a dataset: synthetic X-rays, an upload, files on this machine, or a public dataset."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cxrcore import settings
from cxrcore.data import archive, classes, dataset, download, roots
from cxrcore.data.file_tree import FileTree, absolute, of_uploads, open_file_tree
from cxrcore.data.images import Upload
from cxrcore.data.phantom import dataset as phantom_dataset
from cxrcore.data.phantom.images import PhantomSpec, generate
from cxrcore.data.phantom.lesions import DISEASES
from cxrcore.errors import UserError
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.ui import feedback, progress, query_params
from cxrcore.ui.data import import_form

_LAYOUTS = N_(
    "Folders named after classes, a CSV of paths and labels, or a public set as it is published: COVID-19 image data "
    "collection, COVID-19 Radiography Database, COVIDx, ChestX-ray14, CheXpert, MIMIC-CXR-JPG, RSNA, VinDr-CXR, "
    "PadChest, BRAX, Shenzhen and Montgomery. DICOM, PNG, JPEG, TIFF and WebP, in folders or ZIPs, with masks in "
    "folders such as `masks/`."
)
_EXAMPLES_PER_ROW = 5


def show() -> None:
    """Show the ways to add a dataset, one at a time."""
    ways = {
        N_("Generate synthetic X-rays"): _phantoms,
        N_("Upload"): _upload,
        N_("Files on this machine"): _machine,
        N_("Public datasets"): _public,
    }
    default = next(iter(ways))
    key = query_params.start("from", list(ways), default)
    way: str = (
        st.segmented_control(t("Origin of the images"), list(ways), format_func=translate, required=True, key=key)
        or default
    )
    query_params.keep("from", way, default)
    with st.container(border=True), feedback.friendly():
        ways[way]()


def _phantoms() -> None:
    st.caption(t("Phantoms: synthetic X-rays with known lungs and lesions. No patient data and no network needed."))
    chosen = st.multiselect(t("Classes"), DISEASES, phantom_dataset.DEFAULTS.classes, format_func=classes.label)
    columns = st.columns(_EXAMPLES_PER_ROW)
    for number, name in enumerate(chosen):
        label = classes.label(name)
        columns[number % _EXAMPLES_PER_ROW].image(
            _example(name), label, width="stretch", alt=t("Synthetic X-ray: {name}", name=label)
        )
    with st.form("phantoms", border=False):
        left, middle, right = st.columns(3)
        name = left.text_input(t("Name"), dataset.free_name("phantom"))
        patients = middle.number_input(t("Patients per class"), 3, 2000, phantom_dataset.DEFAULTS.patients)
        images = right.number_input(t("Images per patient"), 1, 10, phantom_dataset.DEFAULTS.images)
        seed = left.number_input(t("Seed"), 0, 2**31, 0, help=t("The same seed gives the same images."))
        planted = middle.selectbox(
            t("Add a confounding marker"),
            [None, *chosen],
            format_func=lambda name: classes.label(name) if name else t("no"),
            help=t(
                "Adds a small mark to every image of one class, as the label of a hospital might be. A model can learn "
                "the mark instead of the disease."
            ),
        )
        if st.form_submit_button(t("Generate"), type="primary"):
            move = progress.bar(t("Generating images"), t("images"))
            phantom_dataset.create(name, int(patients), int(images), int(seed), planted, progress=move, classes=chosen)
            import_form.open_new(name)


@st.cache_data(max_entries=len(DISEASES))
def _example(disease: str) -> np.ndarray:
    """Return one phantom, uint8 (256, 256)."""
    return generate(PhantomSpec(disease, patient=0, number=0), seed=0).image


def _upload() -> None:
    st.caption(
        t(
            "{layouts} Uploads stay in memory until you import them; of DICOM files only the pixels are kept. At most "
            "{most:,} files.",
            layouts=translate(_LAYOUTS),
            most=archive.MAX_FILES,
        )
    )
    whole = st.toggle(t("A whole folder"), help=t("Choose a folder with all files in it."))
    label = t("A folder") if whole else t("Files or ZIPs")
    files = st.file_uploader(label, accept_multiple_files="directory" if whole else True, key=f"upload {whole}")
    if files:
        key = " ".join(file.file_id for file in files)
        import_form.show([_uploaded(files, key)], f"upload {hash(key)}", allowed=[])


def _uploaded(files: Sequence[UploadedFile], key: str) -> FileTree:
    """Return the uploaded files as a tree, which is kept while the same files are uploaded."""
    kept: tuple[str, FileTree] | None = st.session_state.get("uploaded")
    if kept is None or kept[0] != key:
        kept = (key, of_uploads(Upload(file.name, file.getvalue()) for file in files))
        st.session_state["uploaded"] = kept
    return kept[1]


def _machine() -> None:
    allowed = settings.data_roots()
    st.caption(
        t(
            "{layouts} Folders must lie below {folders} (setting `CXR_DATA_ROOTS`).",
            layouts=translate(_LAYOUTS),
            folders=t(" or ").join(feedback.plain_text(str(root)) for root in allowed),
        )
    )
    text = st.text_area(
        t("Folders, ZIPs or CSVs on this machine, one per line"),
        placeholder="~/covid-chestxray-dataset\n~/chest_xray.zip",
    )
    paths = [absolute(line.strip()) for line in text.splitlines() if line.strip()]
    for path in paths:
        if not roots.contain(allowed, path):
            raise UserError(
                "{path} lies outside the folders that this dashboard may read. The administrator of the server can "
                "allow it: CXR_DATA_ROOTS={parent}",
                path=path,
                parent=path.parent,
            )
    if paths:
        import_form.show(_open_all(paths, tuple(allowed)), f"machine {hash(tuple(paths))}", allowed)


def _public() -> None:
    for chosen in download.PUBLIC.values():
        _public_set(chosen)
    there = {found.title: path for found in download.PUBLIC.values() if (path := download.on_disk(found))}
    if not there:
        return
    titles = st.pills(t("Import"), list(there), selection_mode="multi", default=list(there))
    if titles:
        paths = [there[title] for title in titles]
        import_form.show(_open_all(paths, None), f"public {hash(tuple(paths))}", [])


def _open_all(paths: list[Path], allowed: tuple[Path, ...] | None) -> list[FileTree]:
    with st.spinner(t("Listing the files")):
        return [_open(path, allowed) for path in paths]


@st.cache_resource(max_entries=8, ttl=60, show_spinner=False)
def _open(path: Path, allowed: tuple[Path, ...] | None) -> FileTree:
    return open_file_tree(path, allowed)


def _public_set(chosen: download.PublicSet) -> None:
    size = f"{format_number(chosen.megabytes, ',d')} MB. " if chosen.megabytes else ""
    st.markdown(
        t(
            "**{title}**. {size}Licence: {licence}.  \n{citation}",
            title=chosen.title,
            size=size,
            licence=translate(chosen.licence),
            citation=chosen.citation,
        )
    )
    path = download.on_disk(chosen)
    if path:
        st.caption(t(":material/check: Downloaded, {size:.0f} MB.", size=path.stat().st_size / 2**20))
    elif st.button(t("Download"), key=f"download {chosen.key}", icon=":material/download:"):
        download.fetch(chosen.key, progress.bar(t("Downloading"), "bytes"))
        st.rerun()
