"""What a visitor chooses to see explained, and how."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from cxrcore.explain import layers
from cxrcore.explain.layers import POOLED
from cxrcore.explain.methods import METHODS, fixed_layer
from cxrcore.explain.overlay import COLOUR_MAPS
from cxrcore.features import backbones
from cxrcore.i18n import N_, t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback

PREDICTED, NOTHING = N_("the predicted one"), N_("nothing")
_CHANNELS = 1000  # of a deep layer, more or less: for an estimate of the time
_SLOW = 5  # seconds from which on a method says what it takes


@dataclass(frozen=True)
class ExplainOptions:
    """What the user chose to see: `target` is a class or `PREDICTED`, `against` a class or `NOTHING`."""

    target: str
    against: str
    method: str
    layer: str
    opacity: float
    colours: str
    threshold: float

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


def show(run: Run) -> ExplainOptions:
    """Show the knobs."""
    classes, found = run.about["classes"], layers.choices(run.config)
    a, b, c = st.columns(3)
    target = a.selectbox(t("Class to explain"), [PREDICTED, *classes], format_func=translate)
    against = b.selectbox(
        t("Rather than"), [NOTHING, *classes], format_func=translate,
        help=t("Explains the difference of two classes: why this one rather than that one."),
    )  # fmt: skip
    method = c.selectbox(t("Method"), list(METHODS), format_func=lambda name: translate(METHODS[name].title))
    a, b, c, d = st.columns(4)  # a second row, so that a narrow window keeps the order
    fixed = fixed_layer(method, found)
    layer = a.selectbox(
        t("Layer"), [fixed] if fixed else found, format_func=lambda name: layer_name(name, found),
        disabled=bool(fixed), key=f"layer {fixed}",
        help=t("Deep layers know more and see less sharply. `pooled` is the layer that the tutorials explain."),
    )  # fmt: skip
    opacity = b.slider(t("Opacity"), 0.0, 1.0, 0.5, 0.05)
    threshold = c.slider(
        t("Threshold"), 0.0, 0.9, 0.0, 0.05, help=t("Hides what is below this share of the map's maximum.")
    )
    colours = d.selectbox(t("Colours"), list(COLOUR_MAPS))
    if (seconds := cost(run, method)) > _SLOW:
        st.caption(
            t(
                "{method} asks the model about many altered images: about {duration} an image on two laptop cores.",
                method=translate(METHODS[method].title), duration=feedback.duration(seconds),
            ),
        )  # fmt: skip
    return ExplainOptions(target, against, method, layer, opacity, colours, threshold)


def cost(run: Run, method: str) -> float:
    """Return about how many seconds a method takes for one image on two laptop cores."""
    return METHODS[method].passes(_CHANNELS) / backbones.get(run.config["backbone"]).rate


def layer_name(name: str, found: list[str]) -> str:
    """Return what a layer is called on the screen."""
    if name == layers.FUSED:
        return t("all layers, fused")
    if name == POOLED:
        return t("pooled (the tutorials')")
    return t("{name} (last)", name=name) if name == found[0] else name
