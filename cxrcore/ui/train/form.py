"""The form that makes a config: preset, backbone, and the settings by group with the tutorial's values beside."""

from typing import Any

import streamlit as st

from cxrcore.config import run_config
from cxrcore.config.run_config import PRESET_TITLES, PRESETS, RunConfig
from cxrcore.features import weights
from cxrcore.features.backbones import BACKBONES, Backbone
from cxrcore.fields import Group
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.ui import feedback
from cxrcore.ui.train import setting_widgets, sweep

_ABOUT = {
    "recommended": N_(
        "Native preprocessing, global average pooling, split **by patient**; the weights of the epoch with the lowest "
        "validation loss are kept."
    ),
    "tutorial": N_(
        "237 x 237, x / 255, a random 80/20 split (**images of one patient may be in both parts**), 2 x 2 average "
        "pooling, 20 hidden units, dropout 0.2, Adam 1e-3, batch size 15, 80 epochs, weights of the last epoch. The "
        "learning rate is never reduced, as its minimum is the rate itself."
    ),
}
_CAPTIONS = {
    Group.MODEL: N_("Input, feature layer, head and fine-tuning."),
    Group.OPTIMISATION: N_("Optimiser, learning-rate schedule and early stopping."),
    Group.REGULARISATION: N_("Dropout, L2, label smoothing and data augmentation, against overfitting."),
    Group.DATA: N_("Split, cross-validation, image transform and class weights."),
}
_WEIGHTS = next(field.setting.values for field in setting_widgets.FIELDS if field.name == "weights")


def form(dataset_name: str) -> RunConfig | None:
    """Show the form; return the config when Start was pressed, else None."""
    preset = st.segmented_control(
        t("Preset"),
        list(PRESETS),
        default="recommended",
        required=True,
        format_func=lambda name: translate(PRESET_TITLES[name]),
    )
    st.caption(translate(_ABOUT[preset]))
    values = _backbone()
    backbone = BACKBONES[values["backbone"]]
    values |= setting_widgets.group(Group.BASIC, preset, backbone.key, values)
    for group, caption in _CAPTIONS.items():
        with st.expander(t(group.value)):
            st.caption(translate(caption))
            values |= setting_widgets.group(group, preset, backbone.key, values)
    layer = setting_widgets.as_layer(values) | {"dataset": dataset_name}
    sweep.offer(preset, layer)
    if st.button(t("Start training"), type="primary", icon=":material/play_arrow:"):
        with feedback.friendly():
            return run_config.make(preset, layer)
    return None


def _backbone() -> dict[str, Any]:
    left, right = st.columns(2)
    key = left.selectbox(t("Backbone"), list(BACKBONES), format_func=lambda key: _label(BACKBONES[key]))
    backbone = BACKBONES[key]
    kind = right.selectbox(t("Weights"), backbone.weights_kinds, format_func=lambda kind: t(_WEIGHTS[kind]))
    st.caption(_cost(backbone, kind))
    values: dict[str, Any] = {"backbone": key, "weights": kind}
    if kind == "file":
        values["weights_file"] = st.text_input(t("Weights file (.weights.h5, without the top layers)")) or None
    return values


def _label(backbone: Backbone) -> str:
    available = t("weights available") if weights.on_disk(backbone) else t("to be downloaded")
    return f"{backbone.title} · {format_number(backbone.megabytes, 'g')} MB, {available}"


def _cost(backbone: Backbone, kind: str) -> str:
    text = t(
        "Computes the features of about {rate:g} images per second at {size} x {size} on two laptop cores, once; each "
        "epoch then takes milliseconds. Licence of the weights: {licence}.",
        rate=backbone.rate,
        size=backbone.size,
        licence=translate(backbone.licence),
    )
    if kind == "imagenet" and not weights.on_disk(backbone):
        text += " " + t("**The weights ({megabytes:g} MB) will be downloaded first.**", megabytes=backbone.megabytes)
    return text
