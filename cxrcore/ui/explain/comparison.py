"""One test image explained by several methods and runs: rows are runs, columns are methods."""

from pathlib import Path

import numpy as np
import streamlit as st

from cxrcore.data import classes
from cxrcore.data.images import display
from cxrcore.evaluation import reported
from cxrcore.explain import layers
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, image_names, selection
from cxrcore.ui.explain import explanation, test_images
from cxrcore.ui.explain.options import ExplainOptions

_MOST_OTHERS = 1  # a worker keeps `loaded_runs.MOST` models in memory


def show(run: Run) -> None:
    """Choose an image, methods and another run, and show the heatmaps side by side."""
    number = test_images.choose_image(run)
    row = reported.load(run).table.loc[number]
    left, right = st.columns([2, 1])
    names = left.multiselect(
        t("Methods"),
        list(METHODS),
        default=GRADIENT_METHODS[:2],
        format_func=lambda name: translate(METHODS[name].title),
        key="compared methods",
    )
    others = {other.name: other for other in selection.with_results() if other.name != run.name}
    labels = selection.labels([run, *others.values()])
    added = right.multiselect(
        t("Another run"),
        list(others),
        format_func=labels.__getitem__,
        max_selections=_MOST_OTHERS,
        key="compared runs",
        help=t("The same image, explained by another run."),
    )
    if not names:
        st.info(t("Choose at least one method."), icon=":material/info:")
        return
    for shown in [run, *(others[name] for name in added)]:
        with feedback.friendly():
            st.markdown(f"**{feedback.plain_text(labels[shown.name])}**")
            _heatmaps(shown, Path(row["path"]), names, row["sha256"])
    st.caption(t("Each heatmap explains the class that its run predicts and is scaled to its own maximum."))


def _heatmaps(run: Run, path: Path, names: list[str], sha256: str) -> None:
    table = run.table
    if (table.loc[table["sha256"] == sha256, "split"] != "test").any():
        st.warning(t("This image is in this run's training or validation set: its prediction is not a test."))
    image, place = display(path), st.empty()
    with st.container(horizontal=True):
        for name in names:
            found = explanation.explain(run, path, ExplainOptions(name, layers.choices(run.config)[0]), place)
            best = int(np.argmax(found.probabilities))
            text = label_text(classes.label(run.classes[best]), float(found.probabilities[best]))
            title = translate(METHODS[name].title)
            alt = t("{method} of {name}", method=title, name=image_names.name(path, sha256))
            st.image(banner(overlay(image, found.heatmaps[0]), text), width=250, caption=title, alt=alt)
