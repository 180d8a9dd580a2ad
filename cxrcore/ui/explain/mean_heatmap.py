"""The mean heatmap of each class."""

from pathlib import Path

import streamlit as st

from cxrcore.data import classes
from cxrcore.explain import mean_heatmap
from cxrcore.explain.mean_heatmap import MeanHeatmap
from cxrcore.explain.overlay import overlay
from cxrcore.i18n import t
from cxrcore.inference import saved_model
from cxrcore.runs import Run
from cxrcore.ui import feedback

_MOST, _FEW, _WIDTH = 10, 3, 260  # images at once; classes chosen at first where there are more; pixels


def show(run: Run) -> None:
    """Show the mean heatmap of each class over the mean image."""
    st.caption(
        t(
            "The mean Grad-CAM of the test images predicted as each class, over their mean image. A region outside the "
            "lungs that is bright in most images is bright here, too."
        )
    )
    names = run.classes
    if len(names) > _MOST:
        frequent = run.predictions("test")["predicted"].value_counts().index[:_FEW]
        names = st.multiselect(
            t("Classes"), names, list(frequent), format_func=classes.label, max_selections=_MOST, key="mean classes"
        )
    row = st.container(horizontal=True)
    for name in names:
        column = row.container(width=_WIDTH)
        with column, st.spinner(t("Averaging")):
            found = _mean(str(run.folder), name, saved_model.stamp(run))
        label = classes.label(name)
        escaped = feedback.plain_text(label)
        if found is None:
            column.info(t("No test image was predicted as {label}.", label=escaped))
            continue
        caption = t(
            "{label}: {n} images, {aligned} aligned by their lungs", label=escaped, n=found.n, aligned=found.aligned
        )
        if found.n < found.all:
            caption = t(
                "{label}: {n} of {all:,} images, chosen at random, {aligned} aligned by their lungs",
                label=escaped,
                n=found.n,
                all=found.all,
                aligned=found.aligned,
            )
        alt = t("Mean Grad-CAM of {label}", label=label)
        column.image(overlay(found.image, found.heatmap, 0.5), width="stretch", caption=caption, alt=alt)


@st.cache_data(max_entries=30, show_spinner=False)
def _mean(folder: str, name: str, modified: float) -> MeanHeatmap | None:
    """Return the mean heatmap of a class; `modified` is when the model was saved."""
    return mean_heatmap.of_class(Run(Path(folder)), name)
