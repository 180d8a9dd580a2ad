"""The validated config of a run: the one source of its settings."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from cxrcore.config.sections import (
    GRADIENT_DESCENT,
    AugmentConfig,
    FineTuningConfig,
    PlateauConfig,
    ResamplingConfig,
    SplitConfig,
    migrate_resampling,
)
from cxrcore.errors import UserError
from cxrcore.features import backbones
from cxrcore.features.config import AUTO, FeatureConfig
from cxrcore.fields import Choices, Group, Range, Setting
from cxrcore.i18n import N_
from cxrcore.schema import KEY, VERSION, Stored, check_version

_LONGEST_YAML, _DEEPEST_YAML = 100_000, 20  # characters; collections in one another
_LONGEST_VALUE = 3_000  # characters; Python writes no number of over 4,300 digits


class RunConfig(FeatureConfig, Stored):
    """Everything that determines a run. `dataset_version` 0 is the newest when the run starts; the run's own config
    then names it. `epochs` are those of the head; those of `tune` come after them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    dataset_version: int = Field(0, ge=0)
    epochs: Annotated[
        int,
        Setting(N_("Epochs"), N_("Passes over the training images."), Group.BASIC, heads=GRADIENT_DESCENT),
        Field(ge=1, le=100_000),
    ] = 100
    learning_rate: Annotated[
        float,
        Setting(
            N_("Learning rate"),
            N_("Step size of the optimiser."),
            Group.BASIC,
            heads=GRADIENT_DESCENT,
            sweep=Range(low=1e-4, high=1e-1, log=True),
        ),
        Field(gt=0, le=10),
    ] = 5e-3
    batch_size: Annotated[
        int,
        Setting(
            N_("Batch size"),
            N_("Images per step."),
            Group.BASIC,
            heads=GRADIENT_DESCENT,
            sweep=Choices(choices=(8, 16, 32, 64)),
        ),
        Field(ge=1, le=4096),
    ] = 32
    head: Annotated[
        Literal["logistic", "gap", "tutorial", "probe", "hidden"],
        Setting(
            N_("Head"),
            N_(
                "Layers trained on the feature map. Logistic regression is solved to the optimum, without a learning "
                "rate or epochs; the other heads are trained by gradient descent."
            ),
            Group.MODEL,
            values={
                "logistic": N_("logistic regression on mean and standard deviation of each channel"),
                "gap": N_("global average pooling + linear"),
                "probe": N_("global average pooling, standardised + linear, no dropout"),
                "hidden": N_("global average pooling, standardised + 64 hidden units"),
                "tutorial": N_("2 x 2 average pooling + 20 hidden units (tutorial)"),
            },
            sweep=Choices(choices=("gap", "probe", "hidden")),
        ),
    ] = "logistic"
    budget: Annotated[
        int,
        Setting(
            N_("Time budget (seconds)"),
            N_(
                "Seconds that may be spent on a second, larger input size when it is chosen automatically: 320 pixels "
                "are tried beside the backbone's own if they are expected to take no longer. 0 for never."
            ),
            Group.MODEL,
            heads=("logistic",),
        ),
        Field(ge=0, le=86_400),
    ] = 240
    tune: Annotated[
        FineTuningConfig | None,
        Setting(
            N_("Fine-tuning"),
            N_("After the head, also train the upper layers of the backbone. Takes seconds per epoch."),
            Group.MODEL,
            heads=GRADIENT_DESCENT,
        ),
    ] = None
    optimizer: Annotated[
        Literal["adam", "adamw", "sgd"],
        Setting(
            N_("Optimiser"),
            N_("SGD has momentum 0.9."),
            Group.OPTIMISATION,
            heads=GRADIENT_DESCENT,
            values={"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"},
            sweep=Choices(choices=("adam", "adamw", "sgd")),
        ),
    ] = "adam"
    schedule: Annotated[
        Literal["plateau", "cosine", "constant"],
        Setting(
            N_("Learning-rate schedule"),
            N_("How the learning rate changes from epoch to epoch."),
            Group.OPTIMISATION,
            heads=GRADIENT_DESCENT,
            values={
                "plateau": N_("reduce on plateau"),
                "cosine": N_("cosine decay with warm-up"),
                "constant": N_("constant"),
            },
            sweep=Choices(choices=("plateau", "cosine", "constant")),
        ),
    ] = "plateau"
    plateau: Annotated[
        PlateauConfig | None,
        Setting(
            N_("Reduce on plateau"),
            N_("Reduces the learning rate when the validation loss stops falling."),
            Group.OPTIMISATION,
            heads=GRADIENT_DESCENT,
        ),
    ] = PlateauConfig()
    clip_norm: Annotated[
        float,
        Setting(
            N_("Gradient clipping"),
            N_("Gradients are scaled down to this global norm; 0 for no clipping."),
            Group.OPTIMISATION,
            heads=GRADIENT_DESCENT,
        ),
        Field(ge=0),
    ] = 0.0
    early_stopping: Annotated[
        int,
        Setting(
            N_("Early-stopping patience"),
            N_("Epochs without a lower validation loss before training stops; 0 for never."),
            Group.OPTIMISATION,
            heads=GRADIENT_DESCENT,
        ),
        Field(ge=0),
    ] = 20
    keep: Annotated[
        Literal["best", "last"],
        Setting(
            N_("Weights kept"),
            N_("Which epoch's weights become the model."),
            Group.OPTIMISATION,
            heads=GRADIENT_DESCENT,
            values={"best": N_("lowest validation loss"), "last": N_("last epoch")},
        ),
    ] = "best"
    dropout: Annotated[
        float,
        Setting(
            N_("Dropout"),
            N_("Share of the head's inputs dropped during training."),
            Group.REGULARISATION,
            heads=("gap", "tutorial", "hidden"),
            sweep=Range(low=0.0, high=0.6),
        ),
        Field(ge=0, lt=1),
    ] = 0.2
    l2: Annotated[
        float,
        Setting(
            N_("L2 regularisation"),
            N_(
                "L2 penalty on the kernels of the head. 0 for none; with the logistic head, for the strength that "
                "cross-validation by patient chooses."
            ),
            Group.REGULARISATION,
            sweep=Range(low=1e-6, high=1e-1, log=True),
        ),
        Field(ge=0, le=1),
    ] = 0.0
    calibrate: Annotated[
        bool,
        Setting(
            N_("Temperature scaling"),
            N_(
                "Calibrates the probabilities of the logistic head by a temperature, fitted on out-of-fold predictions "
                "of the training part; the predicted classes stay the same."
            ),
            Group.REGULARISATION,
            heads=("logistic",),
        ),
    ] = True
    label_smoothing: Annotated[
        float,
        Setting(
            N_("Label smoothing"),
            N_("Share of each label spread over all classes; lowers over-confidence."),
            Group.REGULARISATION,
            sweep=Range(low=0.0, high=0.2),
        ),
        Field(ge=0, lt=0.5),
    ] = 0.0
    augment: Annotated[
        AugmentConfig | None,
        Setting(
            N_("Data augmentation"),
            N_("Trains on altered copies of the images. Computing n copies takes n times as long, once."),
            Group.REGULARISATION,
        ),
    ] = None
    class_weights: Annotated[
        bool,
        Setting(
            N_("Class weights"),
            N_("Weights each image by the inverse frequency of its class."),
            Group.DATA,
            sweep=Choices(choices=(False, True)),
        ),
    ] = False
    split: SplitConfig = SplitConfig()
    resampling: ResamplingConfig = ResamplingConfig()
    tensorboard: Annotated[
        bool,
        Setting(
            N_("TensorBoard"), N_("Also write event files for TensorBoard into the run's folder."), Group.OPTIMISATION
        ),
    ] = False

    @model_validator(mode="before")
    @classmethod
    def _fill_head_and_tap(cls, values: Any) -> Any:
        """Fill the head and its tap: the logistic head chooses its own, fine-tuning needs another head."""
        if not isinstance(values, dict):
            return values
        head = values.get("head") or ("probe" if values.get("tune") is not None else "logistic")
        tap = values.get("tap") or AUTO
        if head != "logistic" and tap == AUTO:
            tap = ""  # the backbone's last
        return values | {"head": head, "tap": tap}

    @model_validator(mode="before")
    @classmethod
    def _fill_fine_tuning(cls, values: Any) -> Any:
        """Fill where fine-tuning begins: after the tap before the run's own."""
        if not isinstance(values, dict):
            return values
        backbone, tune = backbones.find(values.get("backbone", "cxrtiny")), values.get("tune")
        tap = values.get("tap", "")
        if backbone is None or not isinstance(tune, dict) or tune.get("after") or not isinstance(tap, str):
            return values
        earlier = backbone.before(tap or backbone.taps[-1])
        return values | {"tune": tune | {"after": earlier[-1] if earlier else ""}}

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        backbone = backbones.get(self.backbone)
        if self.head == "logistic" and self.tune:
            raise UserError(
                "tune: expected a head that is trained by gradient descent ({expected}). Received: {head!r}",
                expected="gap, probe, hidden, tutorial",
                head=self.head,
            )
        if self.head != "logistic" and len(self.taps) > 1:
            raise UserError("tap: joined layers need the head 'logistic'. Received: {head!r}", head=self.head)
        if self.tune and self.tune.after not in backbone.before(self.tap):
            raise UserError(
                "tune.after: expected a tap of {key} before {tap} ({expected}). Received: {after!r}",
                key=backbone.key,
                tap=self.tap,
                expected=", ".join(backbone.before(self.tap)) or "-",
                after=self.tune.after,
            )
        if self.split.kind == "given" and self.resampling.kind != "holdout":
            raise UserError("resampling: the split given by the source is a single one. Choose another split.")
        return self

    @property
    def moments(self) -> bool:
        """Whether the head takes values and squared values: the logistic head does."""
        return self.head == "logistic"

    @property
    def chooses(self) -> bool:
        """Whether taps, and perhaps the input size, are chosen when the run starts."""
        return self.tap == AUTO

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Rename what version 1 called `design` and `cleaning`."""
        found = dict(values)
        if "design" in found:
            found["resampling"] = migrate_resampling(found.pop("design"))
        if "cleaning" in found:
            found["image_transform"] = found.pop("cleaning")
        return found


# The tutorials' settings, exactly. Their ReduceLROnPlateau never acts, as its minimum is the learning rate itself.
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
PRESETS: dict[str, dict[str, Any]] = {"recommended": {}, "tutorial": TUTORIAL}
PRESET_TITLES = {"recommended": N_("Recommended"), "tutorial": N_("Tutorial (exact)")}


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over` in place of its own, section by section: a section keeps its others."""
    found = dict(base)
    for name, value in over.items():
        mine = found.get(name)
        found[name] = merge(mine if isinstance(mine, dict) else {}, value) if isinstance(value, dict) else value
    return found


def nested(name: str, value: Any) -> dict[str, Any]:
    """Return `{"section": {"name": value}}` for a dotted name."""
    for part in reversed(name.split(".")):
        value = {part: value}
    found: dict[str, Any] = value
    return found


def _yaml(text: str) -> Any:
    """Return the value of a YAML text that is short, has no aliases, and is not nested deeply.

    A few lines of aliases grow beyond any memory, and thousands of open brackets take a minute.
    """
    if len(text) > _LONGEST_YAML:
        raise yaml.YAMLError(f"it has over {_LONGEST_YAML} characters")
    depth = 0
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST_YAML:
                raise yaml.YAMLError(f"it is nested more than {_DEEPEST_YAML} deep")
            if isinstance(event, yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not read")
            if getattr(event, "tag", None):
                raise yaml.YAMLError("tags are not read")
            if len(getattr(event, "value", "")) > _LONGEST_VALUE:
                raise yaml.YAMLError(f"a value has over {_LONGEST_VALUE} characters")
        return yaml.safe_load(text)
    except (ValueError, ArithmeticError) as error:  # a date that does not exist; a number of base 60 that is too large
        raise yaml.YAMLError(str(error)) from error


def parse_override(text: str) -> dict[str, Any]:
    """Return `section.name=value` as nested values; the value is read as YAML.

    Raises:
        UserError: it has another form, or the value is not YAML.
    """
    name, equals, value = text.partition("=")
    parts = name.split(".")
    if not equals or not all(parts) or len(parts) > _DEEPEST_YAML:
        raise UserError("--set: expected name=value. Received: {text}", text=text)
    try:
        return nested(name, _yaml(value))
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            "--set {name}: {value} is not a value ({reason}).", name=name, value=value, reason=reason
        ) from error


def read(file: Path) -> dict[str, Any]:
    """Return the values of a config in YAML, not yet checked.

    Raises:
        UserError: no such file, not a table of names and values, or one of a newer version of the program.
    """
    values = read_yaml(file)
    version = values.pop(KEY, 1)
    check_version(version, file)
    return RunConfig.migrate(values, version) if version < VERSION else values


def read_yaml(file: Path, may_be_empty: bool = False) -> dict[str, Any]:
    """Return the values of any short YAML file; raise `UserError` if it has no names with values."""
    try:
        with file.open(encoding="utf-8") as opened:
            values = _yaml(opened.read(_LONGEST_YAML + 1))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise UserError("{file} cannot be read as YAML: {error}", file=file, error=reason) from error
    if values is None and may_be_empty:
        return {}
    if not isinstance(values, dict):
        raise UserError("{file}: expected names with values. Received: {kind}", file=file, kind=type(values).__name__)
    return {str(name): value for name, value in values.items()}


def make(preset: str = "recommended", *layers: dict[str, Any], **values: Any) -> RunConfig:
    """Return a preset with each of `layers` and then `values` merged over it, section by section; a value None of
    `values` counts as not given.

    Raises:
        UserError: a setting is unknown or out of range; the text names it, what was expected and what was received.
    """
    if preset not in PRESETS:
        raise UserError(
            "preset: expected one of {expected}. Received: {preset!r}", expected=", ".join(PRESETS), preset=preset
        )
    found = PRESETS[preset]
    for layer in (*layers, {name: value for name, value in values.items() if value is not None}):
        found = merge(found, layer)
    return validated(found)


def validated(values: dict[str, Any]) -> RunConfig:
    """Return the config with these values; raise `UserError` for one that is not valid."""
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise UserError("{reason}", reason=describe(error)) from error


def describe(error: ValidationError) -> str:
    """Return what is wrong with a config, each value with its name, what was expected and what was received."""
    parts = []
    for problem in error.errors():
        name, reason = ".".join(map(str, problem["loc"])), problem["msg"]
        if problem["type"] == "extra_forbidden":
            parts.append(f"{name}: there is no such setting")
        else:
            reason = reason.replace("Input should be ", "expected ", 1)
            parts.append(f"{name}: {reason}. Received: {problem['input']!r}")
    return "; ".join(dict.fromkeys(parts))
