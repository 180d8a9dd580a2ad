"""Explanations of uploaded images, which are kept in memory only."""

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cxrcore.audits import uploaded_image
from cxrcore.audits.dataset import outliers
from cxrcore.audits.uploaded_image import UploadedImage
from cxrcore.data.images import Upload
from cxrcore.figures import formatting
from cxrcore.i18n import t, translate
from cxrcore.inference import ood
from cxrcore.inference.ood import OutOfDistributionDetector
from cxrcore.runs import Run
from cxrcore.ui import computing, feedback
from cxrcore.ui.explain import explanation, options
from cxrcore.ui.explain.explanation import Explained

_TYPES = ["png", "jpg", "jpeg", "dcm", "dicom"]
_LARGEST = 100  # MB


def show(run: Run) -> None:
    """Take image files and show the prediction and the heatmap of one."""
    st.caption(t("Uploaded images stay in this machine's memory and are not saved."))
    title = t("X-rays (DICOM, PNG or JPEG)")
    files = st.file_uploader(title, _TYPES, accept_multiple_files=True, max_upload_size=_LARGEST)
    if not files:
        return
    st.warning(
        t(
            "This run knows only {classes}. It assigns one of them to every image, also to an X-ray of another "
            "hospital, of another disease, or to a photograph, possibly with high confidence.",
            classes=feedback.plain_text(formatting.class_list(run.classes)),
        ),
        icon=":material/warning:",
    )
    file = st.selectbox(t("Image"), files, format_func=lambda file: file.name) if len(files) > 1 else files[0]
    with feedback.friendly():
        image = _decoded(file, run.config.size)
        checks = st.container()
        places = explanation.places()
        with places.options:
            chosen = options.show(run)
        with checks:
            explanation.transform_note(run, image.pixels)
            found = explanation.explain(run, image.pixels, chosen, st.empty())
            detector = ood.load(run.folder / ood.FILE)
            frontal, in_distribution = _check_shape(image.shape_issue), _check_distribution(found.ood_score, detector)
        probabilities = dict(zip(run.classes, map(float, found.probabilities), strict=True))
        heatmap, known = found.heatmaps[0], frontal and in_distribution
        shown = Explained(file.name, image.shown, probabilities, heatmap, in_distribution=known)
        explanation.show(shown, chosen, places)
        explanation.details(shown, chosen)
        st.subheader(t("Most similar training images"))
        explanation.similar(run, found.vector)


def _decoded(file: UploadedFile, size: int) -> UploadedImage:
    """Return the decoded image of an uploaded file, which is kept for this visitor alone.

    Files of strangers are decoded in a worker, in turn: their memory is bounded, and what crashes there ends no server.
    """
    key, upload = (file.file_id, size), Upload(file.name, file.getvalue())
    found: UploadedImage = computing.once(st.empty(), key, t("Reading the image"), uploaded_image.decode, upload, size)
    return found


def _check_shape(name: str) -> bool:
    """Return whether no check of the shape flags an image; show a warning if one does."""
    if not name:
        return True
    check = outliers.CHECKS[name]
    st.error(
        t(
            "**Does not look like an upright frontal chest X-ray**: {description} {performance}",
            description=translate(check.description),
            performance=translate(check.performance),
        ),
        icon=":material/block:",
    )
    return False


def _check_distribution(score: float | None, detector: OutOfDistributionDetector | None) -> bool:
    """Return whether an image is in the distribution of the training images; show the score."""
    if score is None or detector is None:
        st.caption(t("This run has no out-of-distribution detector. Train it again to have one."))
        return True
    rate = {"alarms": detector.alarms, "tested": detector.tested}
    if score <= 1:
        st.caption(
            t(
                "In distribution: {score:.2f} of the out-of-distribution limit. That does not make the prediction "
                "correct. {alarms} of {tested} test images were above the limit.",
                score=score,
                **rate,
            )
        )
        return True
    st.error(
        t(
            "**Out of distribution**: {score:.1f} times the limit. This image differs from the training images; its "
            "prediction means nothing. ({alarms} of {tested} test images were above the limit, too.)",
            score=score,
            **rate,
        ),
        icon=":material/block:",
    )
    return False
