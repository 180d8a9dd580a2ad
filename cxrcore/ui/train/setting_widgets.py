"""One widget for each setting of a run, made from the setting itself."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.config import run_config
from cxrcore.config.command import value_of
from cxrcore.config.run_config import RunConfig, nested
from cxrcore.features import backbones
from cxrcore.features.config import AUTO
from cxrcore.fields import Group, Range, SettingField, setting_fields
from cxrcore.i18n import format_number, t, translate

FIELDS = list(setting_fields(RunConfig))
# The form shows these itself.
_OWN_PLACE = {"backbone", "weights", "weights_file"}
_COLUMNS = 3


@dataclass
class SettingWidgets:
    """The widgets of the settings, each of which starts at the value of the preset and names the tutorial's.

    Attributes:
        preset: a key of `PRESETS`.
        backbone: the backbone's key.
        locked: whether the widgets show the preset's values and cannot be changed.
        values: by dotted name, of the settings shown so far.
        changed: names of those that differ from the preset's.
    """

    preset: str
    backbone: str
    locked: bool
    values: dict[str, Any] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @cached_property
    def base(self) -> RunConfig:
        """The config of the preset."""
        return run_config.make(self.preset, dataset="any", backbone=self.backbone)

    @property
    def head(self) -> str:
        """The head that is chosen, below or above the widgets shown so far."""
        return str(st.session_state.get(self._key("head"), self.base.head))

    def group(self, group: Group) -> None:
        """Show the settings of a group that the head uses, three in a row, each optional section after its switch."""
        shown = [
            each
            for each in FIELDS
            if each.setting.group is group and each.name not in _OWN_PLACE and each.applies_to(self.head)
        ]
        self._rows([each for each in shown if not each.is_section and not _switch(each)])
        for switch in (each for each in shown if each.is_section):
            self._show(st.container(), switch)
            if self.values[switch.name]:
                self._rows([each for each in FIELDS if each.section == switch.name])

    def layer(self) -> dict[str, Any]:
        """Return the values as nested values, with None for a section that is off."""
        found: dict[str, Any] = {}
        sections = {each.name for each in FIELDS if each.is_section}
        for name, value in self.values.items():
            if name in sections:
                value = {} if value else None
            found = run_config.merge(found, nested(name, value))
        return found

    def _rows(self, fields: list[SettingField]) -> None:
        for number, each in enumerate(fields):
            if number % _COLUMNS == 0:
                row = st.columns(_COLUMNS)
            self._show(row[number % _COLUMNS], each)

    def _show(self, place: DeltaGenerator, setting: SettingField) -> None:
        default = value_of(self.base, setting.name)
        default = setting.default if default is None else default
        options = self._options(setting)
        if options == []:
            place.caption(t("No layer before this tap can be chosen."))
            self.values[setting.name] = default
            return
        if options is not None and default not in options:
            default = options[-1]
        value = self.values[setting.name] = self._widget(place, setting, default, options)
        if value == 0 and self._is_chosen(setting.name):
            place.caption("0: " + t("chosen by cross-validation"))
        if self.preset == "tutorial" and value != default:
            self.changed.append(setting.name)
            place.caption(":material/edit: " + t("changed from tutorial"))

    def _widget(self, place: DeltaGenerator, setting: SettingField, default: Any, options: list[str] | None) -> Any:
        label = t(setting.setting.label)
        shared: dict[str, Any] = {
            "key": self._key(setting.name),
            "help": _help(setting, self.preset),
            "disabled": self.locked,
        }
        if options is not None:
            names = {value: t(text) for value, text in setting.setting.values.items()}
            names |= {AUTO: t("chosen by cross-validation")}
            index = options.index(default)
            return place.selectbox(label, options, index, format_func=lambda value: names.get(value, value), **shared)
        if setting.kind is bool:
            return place.toggle(label, bool(default), **shared)
        if setting.kind is int:
            top = None if setting.high is None else min(int(setting.high), 2**53 - 1)
            if setting.name == "size":
                top = backbones.get(self.backbone).sizes[1]
            bottom = None if setting.low is None else int(setting.low)
            return int(place.number_input(label, bottom, top, int(default), **shared))
        low, high = (None if bound is None else float(bound) for bound in (setting.low, setting.high))
        if low is not None and high is not None and high <= 1 and not _is_small(setting, default):
            return place.slider(label, low, high, float(default), 0.01, **shared)
        form = "%.5f" if default < 1 else "%.1f"
        return place.number_input(label, low, high, float(default), step=_step(default), format=form, **shared)

    def _is_chosen(self, name: str) -> bool:
        """Tell whether 0 leaves a setting to the cross-validation of the logistic head."""
        if self.head != "logistic":
            return False
        tap = st.session_state.get(self._key("tap"), self.base.tap)
        return name == "l2" or (name == "size" and tap == AUTO)

    def _key(self, name: str) -> str:
        """Return the key of a widget: with another preset or backbone, and locked, it starts from its own values. The
        layers to choose from depend on the head, too.
        """
        own = f" {self.head}" if name == "tap" else ""
        return f"{name} {self.preset} {self.backbone}{own}{' locked' if self.locked else ''}"

    def _options(self, setting: SettingField) -> list[str] | None:
        backbone = backbones.get(self.backbone)
        if setting.name == "tap":
            return [AUTO, *backbone.taps, *backbone.joined_taps] if self.head == "logistic" else list(backbone.taps)
        if setting.name == "tune.after":
            return list(backbone.before(self.values.get("tap", self.base.tap)))
        return list(setting.choices) if setting.choices else None


def _switch(setting: SettingField) -> bool:
    """Tell whether a setting is in a section that can be off, and shown after its switch."""
    return any(other.is_section and other.name == setting.section for other in FIELDS)


def _is_small(setting: SettingField, default: float) -> bool:
    sweep = setting.setting.sweep
    return (isinstance(sweep, Range) and sweep.log) or 0 < default < 0.01


def _step(default: float) -> float:
    return 1e-4 if default < 0.1 else 0.1 if default < 1 else 1.0


def _help(setting: SettingField, preset: str) -> str:
    """Return the help of a setting, with the tutorial's value where it has one of its own."""
    value = value_of(run_config.make("tutorial", dataset="any"), setting.name)
    if preset == "tutorial" or setting.is_section or value in (None, ""):
        return t(setting.setting.help)
    if setting.setting.values:
        shown = translate(setting.setting.values[value])
    elif isinstance(value, bool):
        shown = t("yes") if value else t("no")
    else:
        shown = format_number(value, "g") if isinstance(value, int | float) else str(value)
    return t("{help} Tutorial: {value}.", help=t(setting.setting.help), value=shown)
