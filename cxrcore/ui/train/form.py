"""The form that makes a config: preset, backbone, and the settings by group; a sweep around them on another tab."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.config import run_config
from cxrcore.config.run_config import PRESET_TITLES, PRESETS, RunConfig
from cxrcore.data import dataset
from cxrcore.data.dataset import Dataset
from cxrcore.data.file_tree import absolute
from cxrcore.errors import UserError
from cxrcore.features import default_backbone, weights
from cxrcore.features.backbones import BACKBONES, Backbone
from cxrcore.fields import Group
from cxrcore.i18n import N_, format_number, nt, t, translate
from cxrcore.jobs import expected_time
from cxrcore.jobs.expected_time import ExpectedTime
from cxrcore.messages import Message
from cxrcore.training.resampling import splits
from cxrcore.ui import digest, feedback, query_params
from cxrcore.ui.train import dataset_issues, setting_widgets, sweep
from cxrcore.ui.train.setting_widgets import SettingWidgets

_ABOUT = {
    "recommended": N_(
        "A logistic regression on a frozen backbone. Its layers, input size and strength are chosen by "
        "cross-validation **by patient** inside the training images, and its probabilities are calibrated. Test images "
        "are not used for it."
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
_RUN, _SWEEP = N_("Train"), N_("Sweep")
_WEIGHTS = next(field.setting.values for field in setting_widgets.FIELDS if field.name == "weights")


def form(dataset_name: str) -> RunConfig | None:
    """Show the form; return the config when Start was pressed, else None.

    The settings are shown on both tabs' behalf: a sweep varies some of them and takes the others from the form.
    """
    data = dataset.load(dataset_name)
    tabs = query_params.tabs("form", [_RUN, _SWEEP], default=_RUN)
    with tabs[_RUN]:
        with feedback.friendly():
            dataset_issues.show(dataset_name)
        preset, layer = _settings(data)
    if tabs[_SWEEP].open:
        with tabs[_SWEEP], feedback.friendly():
            sweep.offer(preset, layer, st.bottom)
        return None
    return _start(st.bottom, data, preset, layer)


def _settings(data: Dataset) -> tuple[str, dict[str, Any]]:
    """Show the settings; return the preset and the values that are laid over it."""
    preset = st.segmented_control(
        t("Preset"),
        list(PRESETS),
        default="recommended",
        required=True,
        format_func=lambda name: translate(PRESET_TITLES[name]),
    )
    st.caption(translate(_ABOUT[preset]))
    locked, changes = False, st.empty()
    if preset == "tutorial":
        locked = not st.toggle(t("Edit settings"), key="edit tutorial", help=t("Off: exactly the tutorial's settings."))
    chosen = _backbone(data, preset, locked)
    widgets = SettingWidgets(preset, chosen["backbone"], locked)
    with st.container():  # one place with any head, so that an open group below stays open
        widgets.group(Group.BASIC)
    for group, caption in _CAPTIONS.items():
        with st.expander(t(group.value), key=f"group {group.name}"):
            if widgets.head != "logistic":  # which uses a few of them alone
                st.caption(translate(caption))
            widgets.group(group)
    if preset == "tutorial" and (n := len(widgets.changed) + _changed_backbone(chosen)):
        changes.caption(":material/edit: " + nt("{n} setting is changed.", "{n} settings are changed.", n))
    return preset, chosen | widgets.layer() | {"dataset": data.name}


def _start(place: DeltaGenerator, data: Dataset, preset: str, layer: dict[str, Any]) -> RunConfig | None:
    """Show the button beside the time that the run is expected to take, disabled where the dataset cannot be trained
    on; return the config when it was pressed.
    """
    row = place.container(horizontal=True, vertical_alignment="center")
    label: dict[str, Any] = {"label": t("Start training"), "type": "primary", "icon": ":material/play_arrow:"}
    try:
        config = run_config.make(preset, layer)
    except UserError as error:
        if row.button(**label):
            row.error(feedback.error_text(error.message), icon=":material/error:")
        return None
    known = data.usable[["label", "patient", "given_split"]]
    problem = _problem(known, config.plain()["split"], config.plain()["resampling"])
    pressed = row.button(**label, disabled=problem is not None)
    if problem:
        row.warning(feedback.error_text(problem), icon=":material/block:")
    else:
        row.caption(time_text(expected_time.before(config, data), config))
    return config if pressed else None


def time_text(expected: ExpectedTime, config: RunConfig) -> str:
    """Return how long a run of a config is expected to take, in words."""
    duration = feedback.duration(expected.seconds)
    if config.head != "logistic" and config.early_stopping:
        text = t(
            "At most about {duration} for {n} images, less with early stopping.", duration=duration, n=expected.images
        )
    else:
        text = t("About {duration} for {n} images.", duration=duration, n=expected.images)
    if expected.left_out:
        text += " " + t(
            "{size} pixels are not tried: this would take longer than the time budget ({budget}).",
            size=expected.left_out,
            budget=feedback.duration(config.budget),
        )
    return text


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=digest.TABLES)
def _problem(table: pd.DataFrame, split: dict[str, Any], resampling: dict[str, Any]) -> Message | None:
    """Return why the images of a dataset cannot be divided like this, None if they can."""
    try:
        splits(run_config.make(dataset="any", split=split, resampling=resampling), table)
    except UserError as error:
        return error.message
    return None


def _backbone(data: Dataset, preset: str, locked: bool) -> dict[str, Any]:
    default = default_backbone.choose(data.is_phantom, preset)
    options: Sequence[str] = default_backbone.OF_TUTORIALS if locked else list(BACKBONES)
    picked = f"picked backbone {data.is_phantom}"
    start = st.session_state.get(picked)
    if start not in (default_backbone.OF_TUTORIALS if preset == "tutorial" else options):
        start = default.backbone.key
    key = f"backbone {data.is_phantom} {preset} {locked}"

    def pick() -> None:
        st.session_state[picked] = st.session_state[key]

    left, right = st.columns(2)
    chosen = left.selectbox(
        t("Backbone"),
        options,
        options.index(start),
        format_func=lambda name: _label(BACKBONES[name]),
        key=key,
        on_change=pick,
    )
    backbone = BACKBONES[chosen]
    kind = right.selectbox(
        t("Weights"), backbone.weights_kinds, format_func=lambda kind: t(_WEIGHTS[kind]), disabled=locked
    )
    reason = default.reason if backbone == default.backbone else _demonstration(backbone)
    shown = f"**{translate(reason)}** " if reason and preset != "tutorial" else ""
    st.caption(shown + _cost(backbone, kind))
    values: dict[str, Any] = {"backbone": chosen, "weights": kind}
    if kind == "file":
        file = st.text_input(t("Weights file (.weights.h5, without the top layers)"))
        values["weights_file"] = None
        with feedback.friendly():
            if file:
                weights.require_permitted(absolute(file))
                values["weights_file"] = str(absolute(file))
    return values


def _demonstration(backbone: Backbone) -> Message | None:
    """Return what CXRTiny is for, None for other backbones."""
    return None if backbone.download else default_backbone.choose(phantom=True).reason


def _changed_backbone(chosen: dict[str, Any]) -> int:
    """Return how many of backbone and weights are not those of the tutorials."""
    return int(chosen["backbone"] not in default_backbone.OF_TUTORIALS) + int(chosen["weights"] != "imagenet")


def _label(backbone: Backbone) -> str:
    available = t("weights available") if weights.on_disk(backbone) else t("to be downloaded")
    return f"{backbone.title} · {format_number(backbone.megabytes, 'g')} MB, {available}"


def _cost(backbone: Backbone, kind: str) -> str:
    text = t(
        "Computes the features of about {rate:g} images per second at {size} x {size} on two laptop cores, once. "
        "Licence of the weights: {licence}.",
        rate=backbone.rate,
        size=backbone.size,
        licence=translate(backbone.licence),
    )
    if kind == "imagenet" and not weights.on_disk(backbone):
        text += " " + t("**The weights ({megabytes:g} MB) will be downloaded first.**", megabytes=backbone.megabytes)
    return text
