"""One widget for each setting of a run, made from the setting itself."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.config import run_config
from cxrcore.config.command import value_of
from cxrcore.config.run_config import RunConfig, nested
from cxrcore.features import backbones
from cxrcore.fields import Group, Range, SettingField, setting_fields
from cxrcore.i18n import format_number, t, translate

FIELDS = list(setting_fields(RunConfig))
# The form shows these itself.
_OWN_PLACE = {"backbone", "weights", "weights_file"}
_COLUMNS = 3


def group(group: Group, preset: str, backbone: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Show the settings of a group, three in a row, each optional section after its switch; return the values by dotted
    name. `chosen` are the values chosen before, by dotted name.

    Each widget starts at the preset's value and names the tutorial's.
    """
    base = run_config.make(preset, dataset="any", backbone=backbone)
    found: dict[str, Any] = {}
    fields = [field for field in FIELDS if field.setting.group is group and field.name not in _OWN_PLACE]
    plain = [field for field in fields if not field.is_section and not _switch(field)]
    for number, field in enumerate(plain):
        if number % _COLUMNS == 0:
            row = st.columns(_COLUMNS, vertical_alignment="bottom")
        found[field.name] = widget(row[number % _COLUMNS], field, base, preset, chosen | found)
    for switch in (field for field in FIELDS if field.is_section and field.setting.group is group):
        on = widget(st.container(), switch, base, preset, chosen | found)
        found[switch.name] = on
        inside = [field for field in FIELDS if field.section == switch.name] if on else []
        for number, field in enumerate(inside):
            if number % _COLUMNS == 0:
                row = st.columns(_COLUMNS, vertical_alignment="bottom")
            found[field.name] = widget(row[number % _COLUMNS], field, base, preset, chosen | found)
    return found


def as_layer(values: dict[str, Any]) -> dict[str, Any]:
    """Return values by dotted name as nested values, with None for a section that is off."""
    found: dict[str, Any] = {}
    sections = {field.name for field in FIELDS if field.is_section}
    for name, value in values.items():
        if name in sections:
            value = {} if value else None
        found = run_config.merge(found, nested(name, value))
    return found


def widget(place: DeltaGenerator, field: SettingField, base: RunConfig, preset: str, chosen: dict[str, Any]) -> Any:
    """Show the widget of a setting and return its value."""
    default, key = value_of(base, field.name), key_of(field.name, preset, base.backbone)
    default = field.default if default is None else default
    label, help_text = t(field.setting.label), _help(field, preset)
    options = _options(field, base, chosen)
    if options == []:
        place.caption(t("No layer before this tap can be chosen."))
        return default
    if options is not None:
        names = {value: t(text) for value, text in field.setting.values.items()}
        index = options.index(default) if default in options else len(options) - 1
        return place.selectbox(
            label, options, index, format_func=lambda value: names.get(value, value), key=key, help=help_text
        )
    if field.kind is bool:
        return place.toggle(label, bool(default), key=key, help=help_text)
    low, high = field.low, field.high
    if field.name == "size":
        low, high = backbones.get(base.backbone).sizes
    if field.kind is int:
        top = None if high is None else min(int(high), 2**53 - 1)
        bottom = None if low is None else int(low)
        return int(place.number_input(label, bottom, top, int(default), key=key, help=help_text))
    low, high = (None if bound is None else float(bound) for bound in (low, high))
    if low is not None and high is not None and high <= 1 and not _is_small(field, default):
        return place.slider(label, low, high, float(default), 0.01, key=key, help=help_text)
    form = "%.5f" if default < 1 else "%.1f"
    return place.number_input(
        label, low, high, float(default), step=_step(default), format=form, key=key, help=help_text
    )


def key_of(name: str, preset: str, backbone: str) -> str:
    """Return the key of a setting's widget: another preset or backbone starts from its own values."""
    return f"{name} {preset} {backbone}"


def _switch(field: SettingField) -> bool:
    """Tell whether a setting is in a section that can be off, and shown after its switch."""
    return any(other.is_section and other.name == field.section for other in FIELDS)


def _options(field: SettingField, base: RunConfig, chosen: dict[str, Any]) -> list[str] | None:
    backbone = backbones.get(base.backbone)
    if field.name == "tap":
        return list(backbone.taps)
    if field.name == "tune.after":
        return list(backbone.before(chosen.get("tap", base.tap)))
    return list(field.choices) if field.choices else None


def _is_small(field: SettingField, default: float) -> bool:
    sweep = field.setting.sweep
    return (isinstance(sweep, Range) and sweep.log) or 0 < default < 0.01


def _step(default: float) -> float:
    return 1e-4 if default < 0.1 else 0.1 if default < 1 else 1.0


def _help(field: SettingField, preset: str) -> str:
    """Return the help of a setting, with the tutorial's value where it has one of its own."""
    value = value_of(run_config.make("tutorial", dataset="any"), field.name)
    if preset == "tutorial" or field.is_section or value in (None, ""):
        return t(field.setting.help)
    if field.setting.values:
        shown = translate(field.setting.values[value])
    elif isinstance(value, bool):
        shown = t("yes") if value else t("no")
    else:
        shown = format_number(value, "g") if isinstance(value, int | float) else str(value)
    return t("{help} Tutorial: {value}.", help=t(field.setting.help), value=shown)
