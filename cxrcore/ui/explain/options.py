"""The options of an explanation: method and view beside the image; class, layer and colours in a popover."""

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
from cxrcore.figures.outlines import Masks
from cxrcore.i18n import N_, t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, outline_toggle

OVERLAY, BESIDE, VIEWS = N_("Overlay"), N_("Beside the original"), N_("Four views with zoom")

_CHANNELS = 1000  # of a deep layer, about: for an estimate of the time
_SLOW = 5  # seconds from which on a method shows how long it takes


@dataclass(frozen=True)
class ExplainOptions:
    """The choices: `layer` is one of `layers.choices`; opacity and threshold are 0 to 1; `view` is `OVERLAY`, `BESIDE`
    or `VIEWS`; the masks `outlined` are drawn over the image.
    """

    method: str
    layer: str
    score: ClassScore = field(default_factory=ClassScore)
    opacity: float = 0.5
    colours: str = "viridis"
    threshold: float = 0.0
    view: str = OVERLAY
    outlined: Masks = field(default_factory=Masks)


def is_wide() -> bool:
    """Tell whether the view that is chosen needs the whole width of the page."""
    return bool(st.session_state.get("look", OVERLAY) != OVERLAY)


def show(run: Run, masks: Masks | None = None) -> ExplainOptions:
    """Show the widgets and return the choices; `masks` are those of the image, which can be outlined."""
    found = layers.choices(run.config)
    predicted, none = (formatting.choice(text, run.classes) for text in (t("predicted class"), t("none")))
    method = st.selectbox(t("Method"), list(METHODS), format_func=lambda name: translate(METHODS[name].title))
    if (seconds := cost(run, method)) > _SLOW:
        st.caption(
            t(
                "{method} predicts many altered copies of the image: about {duration} per image on two laptop cores.",
                method=translate(METHODS[method].title),
                duration=feedback.duration(seconds),
            )
        )
    view = st.selectbox(t("View"), [OVERLAY, BESIDE, VIEWS], format_func=translate, key="look")
    # As wide as its column, so that it opens below the button and not over the image.
    with st.popover(t("Class, layer and colours"), icon=":material/tune:", width="stretch"):
        target = st.selectbox(
            t("Class to explain"),
            [PREDICTED, *run.classes],
            format_func=lambda name: classes.label(name) if name != PREDICTED else predicted,
        )
        contrast = st.selectbox(
            t("Contrast class"),
            [NONE, *run.classes],
            format_func=lambda name: classes.label(name) if name != NONE else none,
            help=t("Explains the difference of two logits: regions that favour one class over the other."),
        )
        fixed = fixed_layer(method, found)
        layer = st.selectbox(
            t("Layer"),
            [fixed] if fixed else found,
            format_func=lambda name: layer_name(name, found),
            disabled=bool(fixed),
            key=f"layer {fixed}",
            help=t("Deep layers are more specific to the class and coarser. The tutorials explain `pooled`."),
        )
        opacity = st.slider(t("Opacity"), 0.0, 1.0, 0.5, 0.05)
        threshold = st.slider(
            t("Threshold"), 0.0, 0.9, 0.0, 0.05, help=t("Hides values below this share of the heatmap's maximum.")
        )
        colours = st.selectbox(t("Colour map"), list(COLOUR_MAPS))
        outlined = outline_toggle.choose(masks or Masks(), shown=False) if view != VIEWS else Masks()
    return ExplainOptions(method, layer, ClassScore(target, contrast), opacity, colours, threshold, view, outlined)


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
