"""What a sweep tries: the settings with their ranges, around one config, within a budget."""

from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig, merge, nested
from cxrcore.errors import UserError
from cxrcore.features import backbones
from cxrcore.features.config import TAPS_OF_BACKBONE
from cxrcore.fields import Choices, Range, setting_fields
from cxrcore.schema import Stored

# The settings that can be swept, with the ranges that are offered; those of `tap` are the taps of the backbone.
SWEPT = {field.name: field for field in setting_fields(RunConfig) if field.setting.sweep}
USUAL = ("learning_rate", "dropout", "head")


class Plan(Stored):
    """A sweep (plan.json): the `base` config, the `settings` varied over it, and its budget: a number of `trials`, or
    `minutes` of training, 0 for no limit of that kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: RunConfig
    settings: dict[str, Range | Choices] = Field(min_length=1)
    trials: int = Field(50, ge=0, le=10_000)
    minutes: float = Field(0.0, ge=0)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if unknown := set(self.settings) - set(SWEPT):
            raise UserError(
                "setting to sweep: expected some of {expected}. Received: {received}",
                expected=", ".join(SWEPT),
                received=", ".join(sorted(unknown)),
            )
        if not self.trials and not self.minutes:
            raise UserError("A sweep needs a limit: a number of trials, or minutes.")
        if self.base.resampling.kind != "holdout" or self.base.tune:
            raise UserError("A sweep trains the head once per trial: choose a single split and no fine-tuning for it.")
        heads = self._heads()
        for name, values in self.settings.items():
            if not any(SWEPT[name].applies_to(head) for head in heads):
                raise UserError(
                    "{setting} has no effect with the head {head!r}: sweep the head too, or choose another one.",
                    setting=name,
                    head=self.base.head,
                )
            for value in values.choices if isinstance(values, Choices) else (values.low, values.high):
                self.config({name: value})
        return self

    def _heads(self) -> tuple[Any, ...]:
        """Return the heads that trials may have."""
        swept = self.settings.get("head")
        return swept.choices if isinstance(swept, Choices) else (self.base.head,)

    def config(self, values: dict[str, Any]) -> RunConfig:
        """Return the config of a trial with these values by name; raise `UserError` for one that is out of range."""
        found = self.base.plain()
        for name, value in values.items():
            found = merge(found, nested(name, value))
        return run_config.validated(found)

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename `knobs`, and the settings of the base config."""
        found = dict(values)
        return {"settings": found.pop("knobs"), **found, "base": RunConfig.migrate(found["base"], version)}


def offered(backbone: str) -> dict[str, Range | Choices]:
    """Return the settings with the ranges that are offered for a backbone."""
    found = {name: field.setting.sweep for name, field in SWEPT.items()}
    taps = Choices(choices=backbones.get(backbone).taps)
    return {name: taps if sweep is TAPS_OF_BACKBONE else sweep for name, sweep in found.items() if sweep}


def make(values: dict[str, Any]) -> Plan:
    """Return a validated plan; raise `UserError` for one that is not valid."""
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        raise UserError("{reason}", reason=run_config.describe(error)) from error


def parse_range(text: str, ranges: dict[str, Range | Choices]) -> tuple[str, dict[str, Any]]:
    """Return the name and the range in `learning_rate=1e-4..1e-1`, `head=gap,probe` or a name alone.

    Raises:
        UserError: the setting cannot be swept, or the range is not one.
    """
    name, _, given = text.partition("=")
    if name not in ranges:
        raise UserError(
            "setting to sweep: expected some of {expected}. Received: {received}",
            expected=", ".join(ranges),
            received=name,
        )
    offered_range = ranges[name]
    if not given:
        return name, offered_range.model_dump()
    try:
        if isinstance(offered_range, Choices):
            return name, {"choices": [_value(part, type(offered_range.choices[0])) for part in given.split(",")]}
        low, _, high = given.partition("..")
        return name, offered_range.model_dump() | {"low": float(low), "high": float(high)}
    except ValueError:
        raise UserError(
            "{name}: expected a range as in 0.1..0.5, or values as in a,b. Received: {text}", name=name, text=given
        ) from None


def _value(text: str, kind: type) -> Any:
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return kind(text)
