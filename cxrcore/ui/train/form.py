"""The form that makes a config: dataset, preset, backbone, and the knobs with the tutorials' values beside."""

from typing import Any

import streamlit as st

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig
from cxrcore.features import backbones, weights
from cxrcore.features.backbones import BACKBONES, Backbone
from cxrcore.features.image_transforms import CLEANINGS
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.ui import feedback
from cxrcore.ui.train import advanced_options, sweep, tap_suggestion

PRESETS = {"studio": N_("Studio"), "tutorial": N_("Tutorial, to the letter")}
_SPLITS = {
    "patient": N_("by patient"),
    "tutorial": N_("by image, at random (the tutorials')"),
    "given": N_("as the source gives it (train, val, test)"),
}
_HEADS = {
    "gap": N_("linear on the channels' means"), "probe": N_("the same, standardised, no dropout"),
    "hidden": N_("standardised, 64 hidden units"), "tutorial": N_("the tutorials': 2 x 2 pooling, 20 units"),
}  # fmt: skip
_OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD, 0.9"}
_SCHEDULES = {
    "plateau": N_("lower on a plateau"), "cosine": N_("cosine with warm-up"), "constant": N_("constant"),
}  # fmt: skip
_ABOUT = {
    "studio": N_("Native preprocessing, global pooling, split **by patient**, the best epoch becomes the model."),
    "tutorial": N_(
        "237 x 237, x / 255, a random 80/20 split (**one patient's images may be on both sides**), "
        "2 x 2 pooling, 20 hidden units, dropout 0.2, Adam 1e-3, batch 15, 80 epochs, the last epoch becomes "
        "the model. Its learning-rate reduction never acts, as its minimum is the rate itself."
    ),
}


def form(dataset_name: str) -> RunConfig | None:
    """Show the form; return the config when Start was pressed, else None."""
    preset = st.segmented_control(
        t("Recipe"), list(PRESETS), default="studio", required=True, format_func=lambda name: translate(PRESETS[name])
    )
    st.caption(translate(_ABOUT[preset]))
    left, right = st.columns(2)
    with left:
        key = st.selectbox(t("Backbone"), list(BACKBONES), format_func=lambda key: _label(BACKBONES[key]))
    backbone = BACKBONES[key]
    with right:
        kind = st.selectbox(t("Weights"), backbone.weights_kinds, format_func=lambda kind: _kind(backbone, kind))
    st.caption(_cost(backbone, kind))
    values: dict[str, Any] = {"dataset": dataset_name, "backbone": key, "weights": kind}
    if kind == "file":
        values["weights_file"] = st.text_input(t("Weights file (.weights.h5, without the top)")) or None
    widgets = f"{preset} {key}"  # another recipe or backbone starts from its own values
    with st.expander(t("Hyper-parameters")):
        values |= _knobs(preset, backbone, widgets)
        tap_suggestion.offer(values, preset, f"tap {widgets}")
    values |= advanced_options.show(widgets, backbone, values["tap"])
    values["tensorboard"] = st.toggle(
        t("Also write TensorBoard files"), key="tensorboard",
        help=t("Into the run's folder: `tensorboard --logdir` shows them. With MLFLOW_TRACKING_URI set, every run is "
"also logged to that MLflow server."),
    )  # fmt: skip
    sweep.offer(preset, values)
    if st.button(t("Start training"), type="primary", icon=":material/play_arrow:"):
        with feedback.friendly():
            return run_config.make(preset, **values)
    return None


def _knobs(preset: str, backbone: Backbone, key: str) -> dict[str, Any]:
    """Return the chosen values; each widget starts at the preset's and names the tutorials'."""
    base = run_config.make(preset, dataset="any", backbone=backbone.key)
    theirs = run_config.make("tutorial", dataset="any")

    def note(name: str) -> str:
        return t("The tutorials use {value}.", value=getattr(theirs, name))

    a, b, c = st.columns(3)
    return {
        "epochs": int(a.number_input(t("Epochs"), 1, 100_000, base.epochs, help=note("epochs"), key=f"epochs {key}")),
        "learning_rate": b.number_input(
            t("Learning rate"), 1e-6, 1.0, base.learning_rate, format="%.5f", step=1e-3,
            help=note("learning_rate"), key=f"rate {key}",
        ),
        "batch_size": int(
            c.number_input(t("Batch size"), 1, 4096, base.batch_size, help=note("batch_size"), key=f"batch {key}")
        ),
        "head": a.selectbox(
            t("Head"), list(_HEADS), list(_HEADS).index(base.head), key=f"head {key}",
            format_func=lambda name: translate(_HEADS[name]),
        ),
        "dropout": b.slider(t("Dropout"), 0.0, 0.9, base.dropout, help=note("dropout"), key=f"dropout {key}"),
        "early_stopping": int(
            c.number_input(
                t("Stop early after"), 0, 1000, base.early_stopping, key=f"early {key}",
                help=t("Epochs without a better validation loss; 0 for never. The tutorials never stop early."),
            )
        ),
        "tap": a.selectbox(
            t("Layer to learn from (tap)"), backbone.taps, backbone.taps.index(base.tap), key=f"tap {key}",
            help=t("The layer whose output is learned from, shallow to deep. Middle layers often carry the texture "
"of X-rays better, and cost less."),
        ),
        "size": int(
            b.number_input(t("Input size"), *backbone.sizes, base.size, help=note("size"), key=f"size {key}")
        ),
        "split": {
            "kind": a.selectbox(
                t("Split"), list(_SPLITS), list(_SPLITS).index(base.split.kind),
                format_func=lambda name: translate(_SPLITS[name]),
                key=f"split {key}", help=t("By patient, the test says how it does on new patients."),
            )
        },
        "cleaning": b.selectbox(
            t("Cleaning"), list(CLEANINGS), list(CLEANINGS).index(base.cleaning), key=f"cleaning {key}",
            format_func=lambda name: translate(CLEANINGS[name]),
            help=t("Done to every image before the backbone sees it; the shortcut audit of a run measures what each "
"takes away. Lungs are found by the studio's segmenter; where it fails, the image stays as it is. Matching the "
"sources: edges cut off, one sharpness, one histogram."),
        ),
        "optimizer": a.selectbox(
            t("Optimiser"), list(_OPTIMIZERS), list(_OPTIMIZERS).index(base.optimizer), key=f"optimizer {key}",
            format_func=_OPTIMIZERS.__getitem__, help=t("The tutorials use {value}.", value="Adam"),
        ),
        "schedule": b.selectbox(
            t("Learning-rate schedule"), list(_SCHEDULES), list(_SCHEDULES).index(base.schedule), key=f"schedule {key}",
            format_func=lambda name: translate(_SCHEDULES[name]),
        ),
        "label_smoothing": c.slider(
            t("Label smoothing"), 0.0, 0.3, base.label_smoothing, 0.01, key=f"smoothing {key}",
            help=t("Less sure of its labels, a model is less sure of its answers."),
        ),
        "l2": a.number_input(
            t("L2 penalty"), 0.0, 1.0, base.l2, 1e-4, format="%.5f", key=f"l2 {key}",
            help=t("On the head's weights: keeps them small, against overfitting."),
        ),
        "class_weights": b.toggle(
            t("Every class counts alike"), base.class_weights, key=f"weights {key}",
            help=t("Weights images by the inverse of their class's share."),
        ),
        "seed": int(
            c.number_input(
                t("Seed"), 0, 2**31, base.seed, key=f"seed {key}", help=t("Of the start and the batch order.")
            )
        ),
    }  # fmt: skip


def _label(backbone: Backbone) -> str:
    at_hand = t("weights at hand") if weights.on_disk(backbone) else t("to be downloaded")
    return f"{backbone.title} · {format_number(backbone.megabytes, 'g')} MB, {at_hand}"


def _kind(backbone: Backbone, kind: str) -> str:
    names = {
        "imagenet": "ImageNet",
        "bundled": t("bundled with the studio"),
        "file": t("from a file"),
        "random": t("random (for comparison)"),
    }
    return names[kind]


def _cost(backbone: backbones.Backbone, kind: str) -> str:
    text = t(
        "Passes about {rate:g} images a second at {size} x {size} on two laptop cores, once; then every epoch takes "
        "milliseconds. Licence of the weights: {licence}.",
        rate=backbone.rate, size=backbone.size, licence=translate(backbone.licence),
    )  # fmt: skip
    if kind == "imagenet" and not weights.on_disk(backbone):
        text += " " + t("**Its weights ({megabytes:g} MB) will be downloaded first.**", megabytes=backbone.megabytes)
    return text
