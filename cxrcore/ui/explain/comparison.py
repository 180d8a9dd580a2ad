"""One test image explained by several methods and several runs at once: rows are runs, columns are methods."""

from pathlib import Path

import numpy as np
import streamlit as st

from cxrcore import runs
from cxrcore.data.images import display
from cxrcore.explain.methods import GRADIENT_METHODS, METHODS
from cxrcore.explain.overlay import banner, label_text, overlay
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback
from cxrcore.ui.explain import explanation, options, test_images

_MOST_RUNS = 2  # a model each in memory


def show(run: Run) -> None:
    """Choose an image, methods and further runs, and show the matrix."""
    number = test_images.choose_image(run)
    shown = run.predictions("test").loc[number]
    path = Path(shown["path"])
    a, b = st.columns([2, 1])
    names = a.multiselect(
        t("Methods"), list(METHODS), default=GRADIENT_METHODS[:2], format_func=lambda name: translate(METHODS[name].title),
        key="compared methods",
    )  # fmt: skip
    others = [other.name for other in runs.listing() if other.metrics and other.name != run.name]
    added = b.multiselect(
        t("Further runs"), others, max_selections=_MOST_RUNS - 1, key="compared runs",
        help=t("The same image, explained by another run."),
    )  # fmt: skip
    if not names:
        st.info(t("Choose at least one method."), icon=":material/info:")
        return
    for name in [run.name, *added]:
        with feedback.friendly():
            _row(runs.load(name), path, names, shown["sha256"])
    st.caption(t("Each map explains the class that its run predicts and is scaled to its own maximum."))


def _row(run: Run, path: Path, names: list[str], sha256: str) -> None:
    st.markdown(f"**{run.name}**")
    table = run.table
    if (table.loc[table["sha256"] == sha256, "split"] != "test").any():
        st.warning(t("This run learned from this image or was chosen by it: its answer is no test."))
    image, place = display(path), st.empty()
    with st.container(horizontal=True):
        for name in names:
            chosen = options.ExplainOptions(
                options.PREDICTED, options.NOTHING, name, run.config["tap"], 0.5, "viridis", 0.0
            )
            found = explanation.explain(run, path, chosen, place)
            best = int(np.argmax(found.probabilities))
            label = run.about["classes"][best]
            text = label_text(translate(label), float(found.probabilities[best]))
            over = banner(overlay(image, found.heatmaps[0]), text)
            title = translate(METHODS[name].title)
            st.image(over, width=250, caption=title, alt=t("{method} of {name}", method=title, name=path.name))
