"""The part of the form that goes beyond one head on plain images: views, fine-tuning, rounds."""

from typing import Any

import streamlit as st

from cxrcore.config.sections import AugmentConfig, FineTuningConfig
from cxrcore.features.backbones import Backbone
from cxrcore.i18n import N_, t, translate

_DESIGNS = {
    "holdout": N_("once"), "repeated": N_("on several random splits"), "kfold": N_("k-fold: each image once"),
}  # fmt: skip


def show(key: str, backbone: Backbone, tap: str) -> dict[str, Any]:
    """Show the choices; return the sections of the config that they make. `key` is the widgets'."""
    with st.expander(t("Testing: once, several times, or k-fold")):
        values = _design(key)
    with st.expander(t("Augmented views")):
        values |= _views(key)
    with st.expander(t("Fine-tuning of the backbone")):
        values |= _tuning(key, backbone, tap)
    return values


def _design(key: str) -> dict[str, Any]:
    kind = st.segmented_control(
        t("Trained and tested"), list(_DESIGNS), default="holdout", required=True, key=f"design {key}",
        format_func=lambda name: translate(_DESIGNS[name]),
    )  # fmt: skip
    if kind == "holdout":
        st.caption(t("One split. With few images its result depends much on which ones fell into the test."))
        return {}
    st.caption(
        t(
            "The same recipe, trained and tested on several splits of the same images: the mean says more than one "
            "split does. The activations are computed once; the first round's model is the run's."
        )
    )
    rounds = int(st.number_input(t("Rounds"), 2, 50, 5, key=f"rounds {key}"))
    return {"design": {"kind": kind, "rounds": rounds}}


def _views(key: str) -> dict[str, Any]:
    usual = AugmentConfig()
    st.caption(
        t(
            "Slightly altered copies of the training images, computed once and kept: each epoch sees every image as "
            "one of them. So many views take so many times as long, once. Images are never turned upside down."
        )
    )
    if not st.toggle(t("Learn from augmented views"), key=f"augment {key}"):
        return {}
    a, b, c = st.columns(3)
    return {
        "augment": {
            "views": int(a.number_input(t("Views an image"), 1, 20, usual.views, key=f"views {key}")),
            "rotation": b.slider(t("Turned by at most (degrees)"), 0.0, 30.0, usual.rotation, key=f"turn {key}"),
            "shift": c.slider(t("Moved by at most (share of the side)"), 0.0, 0.2, usual.shift, key=f"move {key}"),
            "zoom": a.slider(t("Zoomed by at most (share)"), 0.0, 0.3, usual.zoom, key=f"zoom {key}"),
            "contrast": b.slider(t("Contrast changed by at most"), 0.0, 0.5, usual.contrast, key=f"contrast {key}"),
            "flip": c.toggle(
                t("Mirror half of them"), key=f"flip {key}",
                help=t("Off by default: the heart has a side, and a mirrored chest is another finding."),
            ),
        }
    }  # fmt: skip


def _tuning(key: str, backbone: Backbone, tap: str) -> dict[str, Any]:
    usual, taps = FineTuningConfig(), backbone.before(tap)
    st.caption(
        t(
            "After the head has learned, the backbone's upper layers learn with it, slowly. What comes before them is "
            "kept, so only they are computed in each epoch; still that takes seconds an epoch, not milliseconds."
        )
    )
    if not taps:
        st.info(t("Nothing of the backbone lies before this tap that could be kept. Choose a deeper one."))
        return {}
    if not st.toggle(t("Fine-tune the upper layers"), key=f"tune {key}"):
        return {}
    a, b, c = st.columns(3)
    return {
        "tune": {
            "after": a.selectbox(t("Layers behind"), taps, len(taps) - 1, key=f"after {key} {tap}"),
            "learning_rate": b.number_input(
                t("Their learning rate"), 1e-6, 1.0, usual.learning_rate, format="%.6f", step=1e-5,
                key=f"tune rate {key}", help=t("Much lower than the head's, or what the backbone knows is lost."),
            ),
            "epochs": int(c.number_input(t("Their epochs"), 1, 10_000, usual.epochs, key=f"tune epochs {key}")),
        }
    }  # fmt: skip
