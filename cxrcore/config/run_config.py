"""The one validated config of a run, and the presets."""

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from cxrcore.config.sections import (
    STRICT,
    AugmentConfig,
    FineTuningConfig,
    PlateauConfig,
    ResamplingConfig,
    SplitConfig,
)
from cxrcore.errors import UserError
from cxrcore.features import backbones


class RunConfig(BaseModel):
    """Everything that determines a run. `size` and `tap` default to the backbone's own. `dataset_version` 0 is
    the newest when the run starts; the run's own config then names it.

    `cleaning` is done to every image before the backbone sees it (see `alterations.CLEANINGS`), "" for nothing; lungs
    are then always found by the segmenter, as new images come without masks.

    `schedule` is what becomes of the learning rate: lowered on a `plateau` (never if that is None), a `cosine` with
    warm-up, or `constant`. `l2` is put on the head's kernels, `class_weights` let every class count alike.

    `early_stopping` is a number of epochs without a better validation loss, 0 for never. `keep` says which
    epoch's weights become the model: the one with the lowest validation loss, or the last. `epochs` are the head's;
    those of `tune` come after them. `tensorboard` also writes the curves as its event files.
    """

    model_config = STRICT

    dataset: str
    dataset_version: int = Field(0, ge=0)
    backbone: str = "cxrtiny"
    weights: Literal["imagenet", "bundled", "file", "random"] = "bundled"
    weights_file: Path | None = None
    size: int = 0
    tap: str = ""
    preprocessing: Literal["native", "unit"] = "native"
    cleaning: Literal["", "only-lungs", "crop", "match", "markers", "equalise"] = ""
    head: Literal["gap", "tutorial", "probe", "hidden"] = "gap"
    dropout: float = Field(0.2, ge=0, lt=1)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(5e-3, gt=0, le=10)
    schedule: Literal["plateau", "cosine", "constant"] = "plateau"
    batch_size: int = Field(32, ge=1, le=4096)
    epochs: int = Field(100, ge=1, le=100_000)
    plateau: PlateauConfig | None = PlateauConfig()
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    l2: float = Field(0.0, ge=0, le=1)
    class_weights: bool = False
    early_stopping: int = Field(20, ge=0)
    keep: Literal["best", "last"] = "best"
    augment: AugmentConfig | None = None
    tune: FineTuningConfig | None = None
    split: SplitConfig = SplitConfig()
    design: ResamplingConfig = ResamplingConfig()
    tensorboard: bool = False
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="before")
    @classmethod
    def _own_defaults(cls, values: Any) -> Any:
        """Fill `size` and `tap` from the table of backbones, and where fine-tuning begins: behind the tap before."""
        if not isinstance(values, dict):
            return values
        backbone = backbones.BACKBONES.get(values.get("backbone", "cxrtiny"))
        if backbone is None:
            return values
        own = {"size": backbone.size, "tap": backbone.taps[-1], "weights": backbone.weights_kinds[0]}
        filled = own | {name: value for name, value in values.items() if value or name not in own}
        tune = filled.get("tune")
        if isinstance(tune, dict) and not tune.get("after"):
            before = backbone.before(filled["tap"])
            filled["tune"] = tune | {"after": before[-1] if before else ""}
        return filled

    @model_validator(mode="after")
    def _agrees_with_backbone(self) -> Self:
        backbone = backbones.get(self.backbone)
        low, high = backbone.sizes
        if not low <= self.size <= high:
            raise UserError(
                "size of {key}: expected {low} to {high} pixels. Received: {size}",
                key=backbone.key,
                low=low,
                high=high,
                size=self.size,
            )
        if self.tap not in backbone.taps:
            expected = ", ".join(backbone.taps)
            raise UserError(
                "tap of {key}: expected one of {expected}. Received: {tap!r}",
                key=backbone.key,
                expected=expected,
                tap=self.tap,
            )
        if self.weights not in backbone.weights_kinds:
            expected = ", ".join(backbone.weights_kinds)
            raise UserError(
                "weights of {key}: expected one of {expected}. Received: {weights!r}",
                key=backbone.key,
                expected=expected,
                weights=self.weights,
            )
        if (self.weights == "file") != (self.weights_file is not None):
            raise UserError("weights_file: expected a path with weights 'file', and none otherwise.")
        if self.tune and self.tune.after not in backbone.before(self.tap):
            raise UserError(
                "tune.after: expected a tap of {key} before {tap} ({expected}). Received: {after!r}",
                key=backbone.key,
                tap=self.tap,
                expected=", ".join(backbone.before(self.tap)) or "-",
                after=self.tune.after,
            )
        if self.split.kind == "given" and self.design.kind != "holdout":
            raise UserError("design: the split given by the source has one round. Choose another split.")
        return self

    @property
    def preprocessing_mode(self) -> str:
        """The key of `preprocessing.MODES` that applies."""
        if self.preprocessing == "unit":
            return "unit"
        return backbones.get(self.backbone).preprocessing


# What the tutorials do, to the letter. Their ReduceLROnPlateau never acts, as its minimum is the rate.
TUTORIAL: dict[str, Any] = {
    "size": 237,
    "preprocessing": "unit",
    "head": "tutorial",
    "dropout": 0.2,
    "learning_rate": 1e-3,
    "batch_size": 15,
    "epochs": 80,
    "plateau": {"factor": 0.2, "patience": 5, "cooldown": 5, "minimum": 1e-3},
    "early_stopping": 0,
    "keep": "last",
    "split": {"kind": "tutorial", "test": 0.2, "validation": 0.1, "seed": 40},
}
PRESETS: dict[str, dict[str, Any]] = {"studio": {}, "tutorial": TUTORIAL}


def read(file: Path) -> dict[str, Any]:
    """Return the values of a config in YAML, not yet checked.

    Raises:
        UserError: no such file, or not a table of names and values.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError("{file} cannot be read as YAML: {error}", file=file, error=error) from error
    if not isinstance(values, dict):
        raise UserError("{file}: expected names with values. Received: {kind}", file=file, kind=type(values).__name__)
    return {str(name): value for name, value in values.items()}


def make(preset: str = "studio", **values: Any) -> RunConfig:
    """Return a preset with `values` over it; None means not given.

    Raises:
        UserError: a setting is unknown or out of range; the text names it, what was expected and received.
    """
    if preset not in PRESETS:
        raise UserError(
            "preset: expected one of {expected}. Received: {preset!r}", expected=", ".join(PRESETS), preset=preset
        )
    given = {name: value for name, value in values.items() if value is not None}
    if isinstance(given.get("split"), dict):
        given["split"] = PRESETS[preset].get("split", {}) | given["split"]
    try:
        return RunConfig(**(PRESETS[preset] | given))
    except ValidationError as error:
        raise UserError(sentence(error)) from error


def sentence(error: ValidationError) -> str:
    """Return what is wrong with a config, each value with its name, what was expected and what was received."""
    parts = []
    for problem in error.errors():
        name, expected = ".".join(map(str, problem["loc"])), problem["msg"].removeprefix("Input should be ")
        if problem["type"] == "extra_forbidden":
            parts.append(f"{name}: there is no such setting")
        else:
            parts.append(f"{name}: expected {expected}. Received: {problem['input']!r}")
    return "; ".join(parts)
