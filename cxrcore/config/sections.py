"""The sections of a run's config: how images are divided, how the rate falls, what is added to plain training."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

STRICT = ConfigDict(extra="forbid", frozen=True)


class SplitConfig(BaseModel):
    """`patient`: no patient on two sides, stratified. `tutorial`: images at random, as the tutorials. `given`: as the
    source's folders or table say.
    """

    model_config = STRICT

    kind: Literal["patient", "tutorial", "given"] = "patient"
    test: float = Field(0.2, gt=0, le=0.5)
    validation: float = Field(0.1, gt=0, le=0.5)
    seed: int = Field(0, ge=0, lt=2**32)


class ResamplingConfig(BaseModel):
    """How often it is trained and tested: once (`holdout`), on `rounds` splits of other seeds (`repeated`), or with
    each of `rounds` folds tested on once (`kfold`). The first round's model is the run's.
    """

    model_config = STRICT

    kind: Literal["holdout", "repeated", "kfold"] = "holdout"
    rounds: int = Field(5, ge=2, le=50)


class PlateauConfig(BaseModel):
    """Keras's ReduceLROnPlateau on the validation loss."""

    model_config = STRICT

    factor: float = Field(0.5, gt=0, lt=1)
    patience: int = Field(5, ge=1)
    cooldown: int = Field(0, ge=0)
    minimum: float = Field(1e-5, ge=0)


class AugmentConfig(BaseModel):
    """`views` altered copies a training image, each turned by at most `rotation` degrees, moved by at most `shift` of
    its side, enlarged or reduced by at most `zoom`, with the contrast changed by at most `contrast`. `flip` mirrors
    half of them, which puts the heart on the other side.
    """

    model_config = STRICT

    views: int = Field(3, ge=1, le=20)
    rotation: float = Field(7.0, ge=0, le=30)
    shift: float = Field(0.05, ge=0, le=0.2)
    zoom: float = Field(0.08, ge=0, le=0.3)
    contrast: float = Field(0.15, ge=0, le=0.5)
    flip: bool = False


class FineTuningConfig(BaseModel):
    """After the head, the backbone's layers behind the tap `after` learn too, at their own rate; "" is the tap before
    the run's own.
    """

    model_config = STRICT

    after: str = ""
    learning_rate: float = Field(1e-4, gt=0, le=1)
    epochs: int = Field(10, ge=1, le=10_000)
