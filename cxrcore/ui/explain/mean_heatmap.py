"""Where a run looks on average, class by class."""

from pathlib import Path

import streamlit as st

from cxrcore.explain import mean_heatmap
from cxrcore.explain.mean_heatmap import Average
from cxrcore.explain.overlay import overlay
from cxrcore.i18n import t, translate
from cxrcore.runs import Run


def show(run: Run) -> None:
    """Show the mean heatmap of each class over the mean image."""
    st.caption(
        t(
            "The mean Grad-CAM of the test images that the run puts into a class, over their mean image. If it is "
            "bright outside the lungs in most images, it is bright there here."
        )
    )
    classes = run.about["classes"]
    for label, column in zip(classes, st.columns(len(classes)), strict=True):
        with column, st.spinner(t("Averaging")):
            found = _average(str(run.folder), label, run.model_file.stat().st_mtime)
        if found is None:
            column.info(t("No test image was called {label}.", label=translate(label)))
            continue
        column.image(
            overlay(found.image, found.heatmap, 0.5), width="stretch",
            caption=t(
                "{label}: {n} images, {aligned} of them brought to the frame of their lungs",
                label=translate(label), n=found.n, aligned=found.aligned,
            ),
            alt=t("Mean Grad-CAM of {label}", label=translate(label)),
        )  # fmt: skip


@st.cache_data(max_entries=30, show_spinner=False)
def _average(folder: str, label: str, changed: float) -> Average | None:
    return mean_heatmap.of_class(Run(Path(folder)), label)
