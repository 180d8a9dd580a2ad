"""One image explained: the knobs, the picture and its overlay side by side, the probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from cxrcore.data.images import png
from cxrcore.explain import layers
from cxrcore.explain.methods import METHODS, Method
from cxrcore.explain.overlay import COLOUR_MAPS, banner, label_text, overlay
from cxrcore.language import local, said, t, translated
from cxrcore.report import figures
from cxrcore.runs import Run

PREDICTED, NOTHING = said("the predicted one"), said("nothing")
_READING = said(
    "Bright is where the evidence for the class came from, as far as this method can tell. The map is coarse and "
    "scaled to its own maximum. It shows where the model looked, not whether that was right."
)


@dataclass(frozen=True)
class Knobs:
    """What the user chose to see: `target` is a class or `PREDICTED`, `against` a class or `NOTHING`."""

    target: str
    against: str
    method: str
    layer: str
    opacity: float
    colours: str

    def scores(self, probabilities: np.ndarray, classes: list[str]) -> np.ndarray:
        """Return the sum of logits to explain, float (1, classes), see `flow.heatmaps`."""
        found = np.zeros((1, len(classes)), np.float32)
        found[0, self.number(probabilities, classes)] = 1
        if self.against != NOTHING:
            found[0, classes.index(self.against)] -= 1
        return found

    def number(self, probabilities: np.ndarray, classes: list[str]) -> int:
        """Return the position of the class to explain."""
        return int(np.argmax(probabilities)) if self.target == PREDICTED else classes.index(self.target)


def knobs(run: Run) -> Knobs:
    """Show the knobs."""
    classes, found = run.about["classes"], layers.choices(run.config)
    a, b, c = st.columns(3)
    target = a.selectbox(t("Class to explain"), [PREDICTED, *classes], format_func=translated)
    against = b.selectbox(
        t("Rather than"), [NOTHING, *classes], format_func=translated,
        help=t("Explains the difference of two classes: why this one rather than that one."),
    )  # fmt: skip
    method = c.selectbox(t("Method"), list(METHODS), format_func=lambda name: METHODS[name].title)
    a, b, c = st.columns(3)  # a second row, so that a narrow window keeps the order
    layer = a.selectbox(
        t("Layer"), found, format_func=lambda name: _layer_name(name, found),
        help=t("Deep layers know more and see less sharply. `pooled` is the layer that the tutorials explain."),
    )  # fmt: skip
    opacity = b.slider(t("Opacity"), 0.0, 1.0, 0.5, 0.05)
    colours = c.selectbox(t("Colours"), list(COLOUR_MAPS))
    return Knobs(target, against, method, layer, opacity, colours)


def picture(
    name: str,
    image: np.ndarray,
    probabilities: dict[str, float],
    heatmap: np.ndarray,
    chosen: Knobs,
    true: str,
    trusted: bool = True,
) -> None:
    """Show the original and the overlay.

    Args:
        name: of the image file.
        image: uint8 (H, W, 3), undistorted.
        probabilities: by class.
        heatmap: float32 (h, w), of what was chosen to be explained.
        chosen: the knobs.
        true: the true class, or "" when nobody knows.
        trusted: whether the image is like those learned from; else no answer is given unasked.
    """
    names, method = list(probabilities), METHODS[chosen.method]
    predicted = max(names, key=probabilities.__getitem__)
    target = names[chosen.number(np.array(list(probabilities.values())), names)]
    explained = translated(target)
    if chosen.against != NOTHING:
        explained = t("{target} rather than {against}", target=explained, against=translated(chosen.against))
    text = label_text(translated(target), probabilities[target]) if trusted else t("unlike what it learned from")
    over = banner(overlay(image, heatmap, chosen.opacity, chosen.colours), text)
    before = banner(image, t("True: {label}", label=translated(true)) if true else name)
    left, right = st.columns(2)
    left.image(before, width="stretch", caption=t("Original"), alt=t("X-ray {name}", name=name))
    right.image(
        over,
        width="stretch",
        caption=t("{method} for {target}", method=method.title, target=explained),
        alt=t("{method} of {name} for {target}", method=method.title, name=name, target=explained),
    )
    _said_of_the_map(heatmap, explained, method)
    if trusted:
        _verdict(predicted, true, probabilities)
    else:
        with st.expander(t("What the model says all the same")):
            _verdict(predicted, true, probabilities)
    st.download_button(
        t("Overlay as PNG"), png(over), f"{name.rsplit('.', 1)[0]}-{chosen.method}.png", "image/png",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    st.caption(f"{translated(_READING)} {method.title}: {method.paper}.")


def _said_of_the_map(heatmap: np.ndarray, explained: str, method: Method) -> None:
    """Say what the colours hide: an empty map, how strong it is, and a method that knows no class."""
    if heatmap.max() <= 0:
        st.warning(t("Nothing in this layer speaks for {target}: the map is 0 everywhere.", target=explained))
        return
    st.caption(
        t("Raw maximum of the map: {maximum:.3g}. A weak map is shown as brightly as a strong one.",
          maximum=float(heatmap.max()))
    )  # fmt: skip
    if not method.of_class:
        st.info(t("{method} knows no class: it shows what is prominent in this layer, whatever class is chosen.",
                  method=method.title))  # fmt: skip


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
    if name == layers.FUSED:
        return t("all layers, fused")
    if name == layers.POOLED:
        return t("pooled (the tutorials')")
    return t("{name} (last)", name=name) if name == found[0] else name
