"""What a sweep tries: the knobs with their ranges, around one config, within a budget."""

from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig
from cxrcore.config.sections import STRICT
from cxrcore.errors import UserError
from cxrcore.features import backbones


class Span(BaseModel):
    """A number from `low` to `high`; with `log` each power of ten is tried alike."""

    model_config = STRICT

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise UserError(
                "range: expected low below high, and over 0 for a logarithmic one. Received: {low} to {high}",
                low=self.low,
                high=self.high,
            )
        return self


class Choices(BaseModel):
    """One of at least two values."""

    model_config = STRICT

    choices: tuple[Any, ...] = Field(min_length=2)


# The knobs that can be swept, with the ranges that are offered; those of `tap` are the backbone's.
KNOBS: dict[str, Span | Choices] = {
    "learning_rate": Span(low=1e-4, high=1e-1, log=True),
    "dropout": Span(low=0.0, high=0.6),
    "l2": Span(low=1e-6, high=1e-1, log=True),
    "label_smoothing": Span(low=0.0, high=0.2),
    "batch_size": Choices(choices=(8, 16, 32, 64)),
    "head": Choices(choices=("gap", "probe", "hidden")),
    "optimizer": Choices(choices=("adam", "adamw", "sgd")),
    "schedule": Choices(choices=("plateau", "cosine", "constant")),
    "class_weights": Choices(choices=(False, True)),
    "tap": Choices(choices=("shallow", "deep")),
}


class Plan(BaseModel):
    """A sweep: the `base` config, the `knobs` over it, and how long: so many `trials`, or `minutes` of training, 0 for
    no limit of that kind.
    """

    model_config = STRICT

    base: RunConfig
    knobs: dict[str, Span | Choices] = Field(min_length=1)
    trials: int = Field(50, ge=0, le=10_000)
    minutes: float = Field(0.0, ge=0)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if unknown := set(self.knobs) - set(KNOBS):
            raise UserError(
                "knob: expected some of {expected}. Received: {received}",
                expected=", ".join(KNOBS),
                received=", ".join(sorted(unknown)),
            )
        if not self.trials and not self.minutes:
            raise UserError("A sweep needs a limit: a number of trials, or minutes.")
        if self.base.design.kind != "holdout" or self.base.tune:
            raise UserError("A sweep trains the head once a trial: choose one round and no fine-tuning for it.")
        for name, knob in self.knobs.items():
            for value in knob.choices if isinstance(knob, Choices) else (knob.low, knob.high):
                self.config({name: value})
        return self

    def config(self, values: dict[str, Any]) -> RunConfig:
        """Return the config of a trial with these values; raise `UserError` for one that is out of range."""
        return run_config.make(**(self.base.model_dump(mode="json") | values))


def offered(backbone: str) -> dict[str, Span | Choices]:
    """Return the knobs with the ranges that are offered for a backbone."""
    return KNOBS | {"tap": Choices(choices=backbones.get(backbone).taps)}


def make(values: dict[str, Any]) -> Plan:
    """Return a checked plan; raise `UserError` with a sentence for one that is not right."""
    try:
        return Plan(**values)
    except ValidationError as error:
        raise UserError(run_config.sentence(error)) from error
