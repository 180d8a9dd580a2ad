"""One image explained: the knobs, the picture and its overlay side by side, the probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from cxrcore.data.images import png
from cxrcore.explain import layers
from cxrcore.explain.overlay import COLOUR_MAPS, banner, label_text, overlay
from cxrcore.language import local, said, t, translated
from cxrcore.report import figures
from cxrcore.runs import Run

PREDICTED = said("the predicted one")
_READING = said(
    "Bright is where the evidence for the class came from, as far as this method can tell. The map is coarse and "
    "scaled to its own maximum. It shows where the model looked, not whether that was right."
)


@dataclass(frozen=True)
class Knobs:
    """What the user chose to see: `target` is a class or `PREDICTED`."""

    target: str
    layer: str
    opacity: float
    colours: str


def knobs(run: Run) -> Knobs:
    """Show the knobs."""
    a, b, c, d = st.columns(4)
    found = layers.choices(run.config)
    return Knobs(
        target=a.selectbox(t("Class to explain"), [PREDICTED, *run.about["classes"]], format_func=translated),
        layer=b.selectbox(
            t("Layer"),
            found,
            format_func=lambda name: _layer_name(name, found),
            help=t("Deep layers know more and see less sharply. `pooled` is the layer that the tutorials explain."),
        ),
        opacity=c.slider(t("Opacity"), 0.0, 1.0, 0.5, 0.05),
        colours=d.selectbox(t("Colours"), list(COLOUR_MAPS)),
    )


def picture(
    name: str,
    image: np.ndarray,
    probabilities: dict[str, float],
    heatmaps: np.ndarray,
    chosen: Knobs,
    true: str,
) -> None:
    """Show the original and the overlay.

    Args:
        name: of the image file.
        image: uint8 (H, W, 3), undistorted.
        probabilities: by class, in the order of `heatmaps`.
        heatmaps: float32 (classes, h, w).
        chosen: the knobs.
        true: the true class, or "" when nobody knows.
    """
    names = list(probabilities)
    predicted = max(names, key=probabilities.__getitem__)
    target = predicted if chosen.target == PREDICTED else chosen.target
    heatmap = heatmaps[names.index(target)]
    over = banner(
        overlay(image, heatmap, chosen.opacity, chosen.colours), label_text(translated(target), probabilities[target])
    )
    before = banner(image, t("True: {label}", label=translated(true)) if true else name)
    left, right = st.columns(2)
    left.image(before, width="stretch", caption=t("Original"), alt=t("X-ray {name}", name=name))
    right.image(
        over,
        width="stretch",
        caption=t("Grad-CAM for {target}", target=translated(target)),
        alt=t("Grad-CAM of {name} for {target}", name=name, target=translated(target)),
    )
    if heatmap.max() <= 0:
        st.warning(
            t("Nothing in this layer speaks for {target}: the map is 0 everywhere.", target=translated(target)),
            icon=":material/info:",
        )
    _verdict(predicted, true, probabilities)
    st.download_button(
        t("Overlay as PNG"), png(over), f"{name.rsplit('.', 1)[0]}-gradcam.png", "image/png",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    st.caption(translated(_READING))


@st.cache_resource(max_entries=2, show_spinner=False)
def classifier(folder: str, written: float) -> Any:
    """Return the run's classifier, shared by all tabs (it locks itself); `written` tells a newer model."""
    from pathlib import Path

    from cxrcore.explain.classifier import Classifier

    return Classifier(Run(Path(folder)))


def load_classifier(run: Run) -> Any:
    """Return the classifier of `run`; imports TensorFlow the first time."""
    path = run.folder / "model.keras"
    with st.spinner(t("Loading the model; the first time takes some seconds")):
        return classifier(str(run.folder), path.stat().st_mtime if path.exists() else 0.0)


def _verdict(predicted: str, true: str, probabilities: dict[str, float]) -> None:
    called = translated(predicted)
    if not true:
        st.markdown(t("Predicted **{predicted}**.", predicted=called))
    elif predicted == true:
        st.markdown(t("Predicted **{predicted}**, which is right.", predicted=called))
    else:
        st.markdown(
            t(
                "Predicted **{predicted}**, which is **wrong**: it is **{true}**.",
                predicted=called,
                true=translated(true),
            )
        )
    alt = ", ".join(f"{translated(name)} {local(value, '.1%')}" for name, value in probabilities.items())
    st.plotly_chart(figures.probabilities(probabilities), key="probabilities", alt=t("Probabilities: {alt}", alt=alt))


def _layer_name(name: str, found: list[str]) -> str:
    if name == layers.POOLED:
        return t("pooled (the tutorials')")
    return t("{name} (last)", name=name) if name == found[0] else name
