"""Metadata of a setting: label, help, group, option and sweep range, besides its type and default.

A setting is a field of a pydantic model, `Annotated[type, Setting(...), Field(ge=..., le=...)]`. From these come the
command-line options, the form on the Train page, the settings of sweeps, the command that repeats a run and the table
of settings in the README.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Self

import annotated_types
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from cxrcore.errors import UserError
from cxrcore.i18n import N_

STRICT = ConfigDict(extra="forbid", frozen=True)


class Group(Enum):
    """Where a setting stands in forms and tables; the value is its title."""

    BASIC = N_("Basic")
    MODEL = N_("Model")
    OPTIMISATION = N_("Optimisation")
    REGULARISATION = N_("Regularisation")
    DATA = N_("Data")


class Range(BaseModel):
    """A number from `low` to `high`; with `log` it is sampled on a logarithmic scale."""

    model_config = STRICT

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise UserError(
                "range: expected low < high, and low > 0 for a logarithmic one. Received: {low} to {high}",
                low=self.low,
                high=self.high,
            )
        return self


class Choices(BaseModel):
    """One of at least two values."""

    model_config = STRICT

    choices: tuple[bool | int | float | str, ...] = Field(min_length=2)


@dataclass(frozen=True)
class Setting:
    """`values` are the labels of the choices of a setting that has them. `option` is its command-line option, by
    default made from its name. `sweep` is the range that sweeps offer, None for a setting that is not swept. `heads`
    are those that the setting has an effect on, () for all; settings of a section have those of its switch, too.
    `fixed_default` tells whether the field's default is the one that is used, not one that depends on the dataset.
    """

    label: str
    help: str
    group: Group
    values: Mapping[str, str] = field(default_factory=dict)
    option: str = ""
    sweep: Range | Choices | None = None
    heads: tuple[str, ...] = ()
    fixed_default: bool = True


@dataclass(frozen=True)
class SettingField:
    """One setting of a model: `name` is dotted for one of a section (`split.seed`).

    `kind` is bool, int, float, str or Path; `choices` are the values of one that has a few, else (). `low` and `high`
    are its bounds, None for none; `above_low` and `below_high` tell whether they are excluded. A section that can be
    off is a setting of kind bool with `is_section`. `heads` are those that the setting has an effect on, () for all.
    """

    name: str
    setting: Setting
    kind: type
    default: Any
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    below_high: bool = False
    is_section: bool = False
    heads: tuple[str, ...] = ()

    def applies_to(self, head: str) -> bool:
        """Tell whether the setting has an effect on a head."""
        return not self.heads or head in self.heads

    @property
    def default_text(self) -> str:
        """The default as help and tables name it, "" where there is none to name."""
        if self.default in (None, "") or not self.setting.fixed_default:
            return ""
        return str(self.default).lower() if self.kind is bool else str(self.default)

    @property
    def option(self) -> str:
        """The command-line option, for example `--split-seed`."""
        return self.setting.option or "--" + self.name.replace(".", "-").replace("_", "-")

    @property
    def section(self) -> str:
        """The section that the setting is in, "" for none."""
        return self.name.rpartition(".")[0]


def setting_fields(model: type[BaseModel], prefix: str = "", heads: tuple[str, ...] = ()) -> Iterator[SettingField]:
    """Yield the settings of a model and of its sections, in their order; fields without a `Setting` are left out.

    `heads` are those of the section that the model is.
    """
    for name, info in model.model_fields.items():
        setting = next((found for found in info.metadata if isinstance(found, Setting)), None)
        section, optional = _section(info.annotation)
        default = info.get_default(call_default_factory=True)
        own = (setting.heads if setting else ()) or heads
        if section and setting and optional:
            yield SettingField(prefix + name, setting, bool, default is not None, is_section=True, heads=own)
        if section:
            yield from setting_fields(section, f"{prefix}{name}.", own)
        elif setting:
            yield replace(_field(prefix + name, setting, info, default), heads=own)


def _section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the model of a section and whether it can be off, (None, False) for a plain setting."""
    options = _alternatives(annotation)
    models = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
    return (models[0], type(None) in options) if models else (None, False)


def _field(name: str, setting: Setting, info: FieldInfo, default: Any) -> SettingField:
    options = [option for option in _alternatives(info.annotation) if option is not type(None)]
    choices: tuple[str, ...] = ()
    kind = options[0]
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        kind = type(choices[0])
    low, high, above, below = _bounds(info)
    kind = Path if isinstance(kind, type) and issubclass(kind, Path) else kind
    return SettingField(name, setting, kind, default, choices, low, high, above, below)


def _bounds(info: FieldInfo) -> tuple[Any, Any, bool, bool]:
    """Return the bounds of a number, None for none, and whether each is excluded."""
    low: Any = None
    high: Any = None
    above = below = False
    for bound in info.metadata:
        match bound:
            case annotated_types.Ge():
                low = bound.ge
            case annotated_types.Gt():
                low, above = bound.gt, True
            case annotated_types.Le():
                high = bound.le
            case annotated_types.Lt():
                high, below = bound.lt, True
    return low, high, above, below


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return typing.get_args(annotation)
    return (annotation,)
