"""The form that makes a config: dataset, preset, backbone, and the knobs with the tutorials' values beside."""

from typing import Any

import streamlit as st

from cxrcore.features import backbones, weights
from cxrcore.features.backbones import BACKBONES, Backbone
from cxrcore.training import config
from cxrcore.training.config import RunConfig
from cxrcore.ui import messages

PRESETS = {"studio": "Studio", "tutorial": "Tutorial, to the letter"}
_SPLITS = {
    "patient": "by patient",
    "tutorial": "by image, at random (the tutorials')",
    "given": "as the source gives it (train, val, test)",
}
_ABOUT = {
    "studio": "Native preprocessing, global pooling, split **by patient**, the best epoch becomes the model.",
    "tutorial": (
        "237 x 237, x / 255, a random 80/20 split (**one patient's images may be on both sides**), "
        "2 x 2 pooling, 20 hidden units, dropout 0.2, Adam 1e-3, batch 15, 80 epochs, the last epoch becomes "
        "the model. Its learning-rate reduction never acts, as its minimum is the rate itself."
    ),
}


def form(dataset_name: str) -> RunConfig | None:
    """Show the form; return the config when Start was pressed, else None."""
    preset = st.segmented_control(
        "Recipe", list(PRESETS), default="studio", required=True, format_func=PRESETS.__getitem__
    )
    st.caption(_ABOUT[preset])
    left, right = st.columns(2)
    with left:
        key = st.selectbox("Backbone", list(BACKBONES), format_func=lambda key: _label(BACKBONES[key]))
    backbone = BACKBONES[key]
    with right:
        kind = st.selectbox("Weights", backbone.weights_kinds, format_func=lambda kind: _kind(backbone, kind))
    st.caption(_cost(backbone, kind))
    values: dict[str, Any] = {"dataset": dataset_name, "backbone": key, "weights": kind}
    if kind == "file":
        values["weights_file"] = st.text_input("Weights file (.weights.h5, without the top)") or None
    with st.expander("Hyper-parameters"):
        values |= _knobs(preset, backbone)
    if st.button("Start training", type="primary", icon=":material/play_arrow:"):
        with messages.friendly():
            return config.make(preset, **values)
    return None


def _knobs(preset: str, backbone: Backbone) -> dict[str, Any]:
    """Return the chosen values; each widget starts at the preset's and names the tutorials'."""
    base = config.make(preset, dataset="any", backbone=backbone.key)
    theirs = config.make("tutorial", dataset="any")

    def note(name: str) -> str:
        return f"The tutorials use {getattr(theirs, name)}."

    key = f"{preset} {backbone.key}"  # another recipe or backbone starts from its own values
    a, b, c = st.columns(3)
    return {
        "epochs": int(a.number_input("Epochs", 1, 100_000, base.epochs, help=note("epochs"), key=f"epochs {key}")),
        "learning_rate": b.number_input(
            "Learning rate", 1e-6, 1.0, base.learning_rate, format="%.5f", step=1e-3,
            help=note("learning_rate"), key=f"rate {key}",
        ),
        "batch_size": int(
            c.number_input("Batch size", 1, 4096, base.batch_size, help=note("batch_size"), key=f"batch {key}")
        ),
        "head": a.selectbox(
            "Head", ["gap", "tutorial"], ["gap", "tutorial"].index(base.head), key=f"head {key}",
            help="gap: global average pooling, dropout, softmax. tutorial: 2 x 2 pooling, 20 units, dropout.",
        ),
        "dropout": b.slider("Dropout", 0.0, 0.9, base.dropout, help=note("dropout"), key=f"dropout {key}"),
        "early_stopping": int(
            c.number_input(
                "Stop early after", 0, 1000, base.early_stopping, key=f"early {key}",
                help="Epochs without a better validation loss; 0 for never. The tutorials never stop early.",
            )
        ),
        "tap": a.selectbox(
            "Feature tap", backbone.taps, backbone.taps.index(base.tap), key=f"tap {key}",
            help="The layer whose output is learned from, shallow to deep. Middle layers often carry the "
            "texture of X-rays better, and cost less.",
        ),
        "size": int(
            b.number_input("Input size", *backbone.sizes, base.size, help=note("size"), key=f"size {key}")
        ),
        "split": {
            "kind": a.selectbox(
                "Split", list(_SPLITS), list(_SPLITS).index(base.split.kind), format_func=_SPLITS.__getitem__,
                key=f"split {key}", help="By patient, the test says how it does on new patients.",
            )
        },
        "seed": int(
            c.number_input("Seed", 0, 2**31, base.seed, key=f"seed {key}", help="Of the start and the batch order.")
        ),
    }  # fmt: skip


def _label(backbone: Backbone) -> str:
    at_hand = "weights at hand" if weights.on_disk(backbone) else "to be downloaded"
    return f"{backbone.title} · {backbone.megabytes:g} MB, {at_hand}"


def _kind(backbone: Backbone, kind: str) -> str:
    names = {
        "imagenet": "ImageNet",
        "bundled": "bundled with the studio",
        "file": "from a file",
        "random": "random (for comparison)",
    }
    return names[kind]


def _cost(backbone: backbones.Backbone, kind: str) -> str:
    text = (
        f"Passes about {backbone.rate:g} images a second at {backbone.size} x {backbone.size} on two laptop "
        f"cores, once; then every epoch takes milliseconds. Licence of the weights: {backbone.licence}."
    )
    if kind == "imagenet" and not weights.on_disk(backbone):
        text += f" **Its weights ({backbone.megabytes:g} MB) will be downloaded first.**"
    return text
