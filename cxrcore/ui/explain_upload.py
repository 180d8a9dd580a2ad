"""Explaining an uploaded image: kept in memory, gone with the tab."""

import streamlit as st

from cxrcore.data.images import Upload, display
from cxrcore.language import t, translated
from cxrcore.runs import Run
from cxrcore.ui import explain_view, messages


def show(run: Run) -> None:
    """Take image files and show each one's prediction and Grad-CAM."""
    st.caption(t("Images stay in this machine's memory and are not saved."))
    files = st.file_uploader(
        t("X-rays (DICOM, PNG or JPEG)"), ["png", "jpg", "jpeg", "dcm", "dicom"], accept_multiple_files=True,
        max_upload_size=100,
    )  # fmt: skip
    if not files:
        return
    st.warning(
        t(
            "This run knows only {classes}. It gives one of them to any picture, an X-ray of another "
            "hospital, of another disease, or a photograph of a cat, and may be sure of it.",
            classes=", ".join(map(translated, run.about["classes"])),
        ),
        icon=":material/warning:",
    )
    file = st.selectbox(t("Image"), files, format_func=lambda file: file.name) if len(files) > 1 else files[0]
    chosen = explain_view.knobs(run)
    upload = Upload(file.name, file.getvalue())
    with messages.friendly():
        image = display(upload)  # a bad file is named before the model is loaded
        model = explain_view.load_classifier(run)
        with st.spinner(t("Looking at the image")):
            found = model.explain(
                upload, chosen.layer, chosen.method, lambda answer: chosen.scores(answer, model.classes)
            )
        probabilities = dict(zip(model.classes, map(float, found.probabilities), strict=True))
        explain_view.picture(file.name, image, probabilities, found.heatmaps[0], chosen, true="")
