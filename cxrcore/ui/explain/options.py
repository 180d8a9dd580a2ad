"""The options of an explanation: class, method, layer and colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from cxrcore.data import classes
from cxrcore.explain import layers
from cxrcore.explain.explanation import NONE, PREDICTED, ClassScore
from cxrcore.explain.layers import POOLED
from cxrcore.explain.methods import METHODS, fixed_layer
from cxrcore.explain.overlay import COLOUR_MAPS
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback

_CHANNELS = 1000  # of a deep layer, about: for an estimate of the time
_SLOW = 5  # seconds from which on a method shows how long it takes


@dataclass(frozen=True)
class ExplainOptions:
    """The choices: `layer` is one of `layers.choices`; opacity and threshold are 0 to 1."""

    method: str
    layer: str
    score: ClassScore = field(default_factory=ClassScore)
    opacity: float = 0.5
    colours: str = "viridis"
    threshold: float = 0.0


def show(run: Run) -> ExplainOptions:
    """Show the widgets and return the choices."""
    found = layers.choices(run.config)
    predicted, none = (formatting.choice(text, run.classes) for text in (t("predicted class"), t("none")))
    a, b, c = st.columns(3)
    target = a.selectbox(
        t("Class to explain"),
        [PREDICTED, *run.classes],
        format_func=lambda name: classes.label(name) if name != PREDICTED else predicted,
    )
    contrast = b.selectbox(
        t("Contrast class"),
        [NONE, *run.classes],
        format_func=lambda name: classes.label(name) if name != NONE else none,
        help=t("Explains the difference of two logits: regions that favour one class over the other."),
    )
    method = c.selectbox(t("Method"), list(METHODS), format_func=lambda name: translate(METHODS[name].title))
    a, b, c, d = st.columns(4)  # a second row, so that a narrow window keeps the order
    fixed = fixed_layer(method, found)
    layer = a.selectbox(
        t("Layer"),
        [fixed] if fixed else found,
        format_func=lambda name: layer_name(name, found),
        disabled=bool(fixed),
        key=f"layer {fixed}",
        help=t("Deep layers are more specific to the class and coarser. The tutorials explain `pooled`."),
    )
    opacity = b.slider(t("Opacity"), 0.0, 1.0, 0.5, 0.05)
    threshold = c.slider(
        t("Threshold"), 0.0, 0.9, 0.0, 0.05, help=t("Hides values below this share of the heatmap's maximum.")
    )
    colours = d.selectbox(t("Colour map"), list(COLOUR_MAPS))
    if (seconds := cost(run, method)) > _SLOW:
        st.caption(
            t(
                "{method} predicts many altered copies of the image: about {duration} per image on two laptop cores.",
                method=translate(METHODS[method].title),
                duration=feedback.duration(seconds),
            )
        )
    return ExplainOptions(method, layer, ClassScore(target, contrast), opacity, colours, threshold)


def cost(run: Run, method: str) -> float:
    """Return about how many seconds a method takes for one image on two laptop cores."""
    return METHODS[method].passes(_CHANNELS) / backbones.get(run.config.backbone).rate


def layer_name(name: str, found: Sequence[str]) -> str:
    """Return the displayed name of a layer."""
    if name == layers.FUSED:
        return t("all layers, fused")
    if name == POOLED:
        return t("pooled (tutorials)")
    return t("{name} (last)", name=name) if name == found[0] else name
