"""The sections of a run's config."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from cxrcore.errors import UserError
from cxrcore.fields import STRICT, Group, Setting
from cxrcore.i18n import N_

GRADIENT_DESCENT = ("gap", "tutorial", "probe", "hidden")  # the heads that are trained by gradient descent


class SplitConfig(BaseModel):
    """How images are divided into training, validation and test."""

    model_config = STRICT

    kind: Annotated[
        Literal["patient", "tutorial", "given"],
        Setting(
            N_("Split"),
            N_("A split by patient measures the performance on new patients."),
            Group.DATA,
            values={
                "patient": N_("by patient, stratified"),
                "tutorial": N_("by image, at random (tutorial)"),
                "given": N_("as given by the source (train, val, test)"),
            },
            option="--split",
        ),
    ] = "patient"
    test: Annotated[
        float, Setting(N_("Test share"), N_("Share of the images used for testing."), Group.DATA), Field(gt=0, le=0.5)
    ] = 0.2
    validation: Annotated[
        float,
        Setting(
            N_("Validation share"),
            N_("Share of the remaining images used for validation."),
            Group.DATA,
            heads=GRADIENT_DESCENT,
        ),
        Field(gt=0, le=0.5),
    ] = 0.1
    seed: Annotated[
        int,
        Setting(N_("Seed of the split"), N_("The same seed gives the same split."), Group.DATA),
        Field(ge=0, lt=2**32),
    ] = 0


class ResamplingConfig(BaseModel):
    """How often the model is trained and tested: once (holdout), in each of `folds`, or on `repeats` random splits. The
    model of the first fold or repeat is the run's.
    """

    model_config = STRICT

    folds: Annotated[
        int,
        Setting(
            N_("Folds"),
            N_("Number of folds of cross-validation; 0 for a single split."),
            Group.DATA,
            option="--folds",
        ),
        Field(ge=0, le=50),
    ] = 0
    repeats: Annotated[
        int,
        Setting(
            N_("Repeats"),
            N_("Number of repeated random splits; 0 for a single split."),
            Group.DATA,
            option="--repeats",
        ),
        Field(ge=0, le=50),
    ] = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.folds and self.repeats:
            raise UserError("resampling: choose folds or repeats, not both.")
        if 1 in (self.folds, self.repeats):
            raise UserError("resampling: expected at least 2 folds or repeats, or 0 for a single split. Received: 1")
        return self

    @property
    def kind(self) -> Literal["holdout", "kfold", "repeated"]:
        """A single split (holdout), k-fold or repeated random splits."""
        return "kfold" if self.folds else "repeated" if self.repeats else "holdout"

    @property
    def count(self) -> int:
        """How many splits are trained and tested on."""
        return self.folds or self.repeats or 1


class PlateauConfig(BaseModel):
    """Keras's ReduceLROnPlateau on the validation loss."""

    model_config = STRICT

    factor: Annotated[
        float,
        Setting(
            N_("Plateau factor"), N_("The learning rate is multiplied by this factor on a plateau."), Group.OPTIMISATION
        ),
        Field(gt=0, lt=1),
    ] = 0.5
    patience: Annotated[
        int,
        Setting(
            N_("Plateau patience"),
            N_("Epochs without a lower validation loss before the rate is reduced."),
            Group.OPTIMISATION,
        ),
        Field(ge=1),
    ] = 5
    cooldown: Annotated[
        int, Setting(N_("Plateau cooldown"), N_("Epochs to wait after a reduction."), Group.OPTIMISATION), Field(ge=0)
    ] = 0
    minimum: Annotated[
        float,
        Setting(
            N_("Minimum learning rate"), N_("The learning rate is not reduced below this value."), Group.OPTIMISATION
        ),
        Field(ge=0),
    ] = 1e-5


class AugmentConfig(BaseModel):
    """Augmented copies of the training images, computed once and kept; each epoch uses one copy of every image."""

    model_config = STRICT

    views: Annotated[
        int,
        Setting(N_("Augmented copies"), N_("Copies of each training image."), Group.REGULARISATION, option="--views"),
        Field(ge=1, le=20),
    ] = 3
    rotation: Annotated[
        float, Setting(N_("Rotation"), N_("Largest rotation in degrees."), Group.REGULARISATION), Field(ge=0, le=30)
    ] = 7.0
    shift: Annotated[
        float,
        Setting(N_("Shift"), N_("Largest shift, as a share of the image side."), Group.REGULARISATION),
        Field(ge=0, le=0.2),
    ] = 0.05
    zoom: Annotated[
        float, Setting(N_("Zoom"), N_("Largest change of size, as a share."), Group.REGULARISATION), Field(ge=0, le=0.3)
    ] = 0.08
    contrast: Annotated[
        float,
        Setting(N_("Contrast"), N_("Largest change of contrast, as a share."), Group.REGULARISATION),
        Field(ge=0, le=0.5),
    ] = 0.15
    flip: Annotated[
        bool,
        Setting(
            N_("Horizontal flip"),
            N_("Flips half of the copies. Off by default: it puts the heart on the other side."),
            Group.REGULARISATION,
        ),
    ] = False


class FineTuningConfig(BaseModel):
    """After the head, the layers of the backbone after the tap `after` are trained too, at their own rate; "" is the
    tap before the run's own. Batch normalisation stays in inference mode.
    """

    model_config = STRICT

    after: Annotated[
        str,
        Setting(
            N_("Fine-tune after layer"),
            N_("Layers after this tap are trained; empty for the tap before the run's own."),
            Group.MODEL,
        ),
    ] = ""
    learning_rate: Annotated[
        float,
        Setting(
            N_("Fine-tuning learning rate"),
            N_("Choose it much lower than the head's, so that pretrained features are not destroyed."),
            Group.OPTIMISATION,
            option="--tune-rate",
        ),
        Field(gt=0, le=1),
    ] = 1e-4
    epochs: Annotated[
        int,
        Setting(N_("Fine-tuning epochs"), N_("Epochs after those of the head."), Group.OPTIMISATION),
        Field(ge=1, le=10_000),
    ] = 10


def migrate_resampling(design: Any) -> Any:
    """Return the section of version 1, `kind` and `rounds`, as `folds` or `repeats`; what is no section as it is."""
    if not isinstance(design, dict):
        return design
    kind, count = design.get("kind", "holdout"), design.get("rounds", 5)
    return {} if kind == "holdout" else {"folds" if kind == "kfold" else "repeats": count}
