"""Adding a dataset: phantoms drawn here, an upload, files on this machine, or a public set."""

from pathlib import Path

import streamlit as st

from cxrcore import settings
from cxrcore.data import archive, dataset, download
from cxrcore.data.file_tree import FileTree, absolute, of_uploads, open_file_tree
from cxrcore.data.images import Upload
from cxrcore.data.phantom import dataset as phantom_dataset
from cxrcore.data.phantom.images import DISEASES
from cxrcore.errors import UserError
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.ui import feedback, progress, query_params
from cxrcore.ui.data import import_form

_LAYOUTS = N_(
    "Known layouts: folders named after classes (NORMAL/, PNEUMONIA/, ..., with train/, val/ and test/ above them or "
    "not), the COVID-19 image data collection (metadata.csv beside images/), a CSV of paths and labels, and the "
    "tutorials' `X_*.npy` with `Y_*.npy`. DICOM, PNG, JPEG, TIFF and WebP, in folders or ZIPs."
)


def show() -> None:
    """Show the ways to add a dataset, one at a time."""
    ways = {
        N_("Draw phantoms"): _phantoms,
        N_("Upload"): _upload,
        N_("Files on this machine"): _machine,
        N_("Public sets"): _public,
    }
    key = query_params.start("from", list(ways), next(iter(ways)))
    way: str = st.segmented_control(t("From"), list(ways), format_func=translate, required=True, key=key) or ""
    query_params.keep("from", way, next(iter(ways)))
    with st.container(border=True), feedback.friendly():
        ways[way]()


def _phantoms() -> None:
    st.caption(t("Synthetic X-rays with known lungs and lesions. Nobody's data, no network."))
    with st.form("phantoms", border=False):
        left, middle, right = st.columns(3)
        name = left.text_input(t("Name"), dataset.free_name("phantom"))
        patients = middle.number_input(t("Patients in each class"), 3, 2000, 60)
        images = right.number_input(t("Images of each patient"), 1, 10, 2)
        seed = left.number_input(t("Seed"), 0, 2**31, 0, help=t("The same seed draws the same patients."))
        planted = middle.selectbox(
            t("Plant a marker"),
            [None, *DISEASES],
            format_func=lambda name: translate(name) if name else t("no"),
            help=t(
                "Burns a small mark into every image of one class: a shortcut, as a hospital's label may be one. "
                "A model learns the mark instead of the disease."
            ),
        )
        if st.form_submit_button(t("Draw"), type="primary"):
            move = progress.bar(t("Drawing phantoms"), t("images"))
            phantom_dataset.create(name, int(patients), int(images), int(seed), planted, move)
            import_form.added(name)


def _upload() -> None:
    st.caption(
        t(
            "{layouts} What you upload stays in memory until you import it; of DICOM files only the pixels "
            "are kept. At most {most:,} files.",
            layouts=translate(_LAYOUTS),
            most=archive.MAX_FILES,
        )
    )
    whole = st.toggle(t("A whole folder"), help=t("Lets you choose a folder with all that is in it."))
    files = st.file_uploader(
        t("A folder") if whole else t("Files or ZIPs"), accept_multiple_files="directory" if whole else True,
        key=f"upload {whole}",
    )  # fmt: skip
    if files:
        key = " ".join(file.file_id for file in files)
        import_form.show([_uploaded(files, key)], f"upload {hash(key)}", roots=[])


def _uploaded(files: list, key: str) -> FileTree:
    """Return the uploaded files as a tree; what was opened once is kept while the same files are uploaded."""
    kept = st.session_state.get("uploaded")
    if not kept or kept[0] != key:
        kept = (key, of_uploads(Upload(file.name, file.getvalue()) for file in files))
        st.session_state["uploaded"] = kept
    return kept[1]


def _machine() -> None:
    roots = settings.data_roots()
    st.caption(
        t(
            "{layouts} Folders must lie below {folders} (setting `CXR_DATA_ROOTS`).",
            layouts=translate(_LAYOUTS),
            folders=t(" or ").join(map(str, roots)),
        )
    )
    text = st.text_area(
        t("Folders, ZIPs or CSVs on this machine, one a line"),
        placeholder="~/covid-chestxray-dataset\n~/chest_xray.zip",
    )
    paths = [absolute(line.strip()) for line in text.splitlines() if line.strip()]
    for path in paths:
        if not any(path.is_relative_to(root) for root in roots):
            raise UserError(
                "{path} lies outside of the folders that this dashboard may read. Whoever runs the server can "
                "allow it: CXR_DATA_ROOTS={parent}",
                path=path,
                parent=path.parent,
            )
    if paths:
        import_form.show(_look_into(paths, tuple(roots)), f"machine {hash(tuple(paths))}", roots)


def _public() -> None:
    for chosen in download.PUBLIC.values():
        _public_set(chosen)
    there = {found.title: path for found in download.PUBLIC.values() if (path := download.on_disk(found))}
    if not there:
        return
    titles = st.pills(t("Import"), list(there), selection_mode="multi", default=list(there))
    if titles:
        paths = [there[title] for title in titles]
        import_form.show(_look_into(paths, None), f"public {hash(tuple(paths))}", [])


def _look_into(paths: list[Path], roots: tuple[Path, ...] | None) -> list[FileTree]:
    with st.spinner(t("Looking into the files")):
        return [_opened(path, roots) for path in paths]


@st.cache_resource(max_entries=8, ttl=60, show_spinner=False)
def _opened(path: Path, roots: tuple[Path, ...] | None) -> FileTree:
    return open_file_tree(path, roots)


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
        st.caption(t(":material/check: Downloaded, {path:.0f} MB.", path=path.stat().st_size / 2**20))
    elif st.button(t("Download"), key=f"download {chosen.key}", icon=":material/download:"):
        download.fetch(chosen.key, progress.bar(t("Downloading"), "bytes"))
        st.rerun()
