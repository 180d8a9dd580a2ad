"""Explaining an uploaded image: kept in memory, gone with the tab."""

import streamlit as st

from cxrcore.audits.dataset import outliers
from cxrcore.data.images import Upload, display, open_rgb
from cxrcore.i18n import t, translate
from cxrcore.inference.ood import OutOfDistributionDetector
from cxrcore.runs import Run
from cxrcore.ui import feedback
from cxrcore.ui.explain import explanation, options


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
            classes=", ".join(map(translate, run.about["classes"])),
        ),
        icon=":material/warning:",
    )
    file = st.selectbox(t("Image"), files, format_func=lambda file: file.name) if len(files) > 1 else files[0]
    chosen = options.show(run)
    upload = Upload(file.name, file.getvalue())
    with feedback.friendly():
        image = display(upload)  # a bad file is named before the model is loaded
        explanation.cleaning_note(run, upload)
        model = explanation.load_classifier(run)
        found = explanation.explain(run, upload, chosen, st.empty())
        probabilities = dict(zip(model.classes, map(float, found.probabilities), strict=True))
        trusted = _upright(upload) & _likeness(found.unlike, model.novelty)
        explanation.picture(file.name, image, probabilities, found.heatmaps[0], chosen, true="", trusted=trusted)
        st.subheader(t("The most similar training images"))
        explanation.similar(run, found.vector)


def _upright(upload: Upload) -> bool:
    """Say whether an image looks like an upright frontal radiograph at all; return False if it does not."""
    if not (name := outliers.shape(open_rgb(upload))):
        return True
    st.error(
        t(
            "**Does not look like an upright frontal chest X-ray**: {what} {measured}",
            what=translate(outliers.CHECKS[name]), measured=translate(outliers.MEASURED[name]),
        ),
        icon=":material/block:",
    )  # fmt: skip
    return False


def _likeness(unlike: float | None, kept: OutOfDistributionDetector | None) -> bool:
    """Say whether an image is like those that the run learned from; return False if it is not."""
    if unlike is None or kept is None:
        st.caption(t("This run kept nothing to tell whether an image is like those it learned from. Train it again."))
        return True
    alarms = {"alarms": kept.alarms, "tested": kept.tested}
    if unlike <= 1:
        st.caption(
            t(
                "Not unlike the images it learned from (distance {distance:.2f} of the limit). That does not make the "
                "answer right. {alarms} of {tested} test images were beyond the limit.",
                distance=unlike, **alarms,
            )
        )  # fmt: skip
        return True
    st.error(
        t(
            "**Unlike the images it learned from**: {distance:.1f} times the limit. Whatever it answers means nothing "
            "for such a picture. ({alarms} of {tested} test images, of the same kind, were beyond the limit, too.)",
            distance=unlike, **alarms,
        ),
        icon=":material/block:",
    )  # fmt: skip
    return False
