"""What determines the activations of an image, as a user chooses it; used by training and by every audit alike."""

import itertools
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from cxrcore.errors import UserError
from cxrcore.features import backbones, gpus, image_transforms, lung_segmenter, weights
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights
from cxrcore.fields import STRICT, Choices, Group, Setting
from cxrcore.i18n import N_
from cxrcore.progress import Progress

# A tap, and the input size 0, that `training.selection` replaces by those it chooses.
AUTO = "auto"
# The values of a sweep over `tap` are the taps of the backbone, see `sweeps.plan.offered`.
TAPS_OF_BACKBONE = Choices(choices=("first", "last"))


class FeatureConfig(BaseModel):
    """The backbone, its weights, the input and what is done to it. `size`, `tap` and `weights` default to the
    backbone's own. `seed` is that of random weights, and of the head's initialisation in a run.
    """

    model_config = STRICT

    backbone: Annotated[
        str,
        Setting(
            N_("Backbone"),
            N_(
                "Pretrained network whose activations are the features. If none is named, the best whose weights are "
                "on this machine is used, and CXRTiny for synthetic X-rays."
            ),
            Group.BASIC,
            fixed_default=False,
        ),
    ] = "cxrtiny"
    weights: Annotated[
        Literal["imagenet", "bundled", "file", "random"],
        Setting(
            N_("Weights"),
            N_("Weights of the backbone."),
            Group.BASIC,
            fixed_default=False,
            values={
                "imagenet": "ImageNet",
                "bundled": N_("bundled with the package"),
                "file": N_("from a file"),
                "random": N_("random (for comparison)"),
            },
        ),
    ] = "bundled"
    weights_file: Annotated[
        Path | None,
        Setting(N_("Weights file"), N_("A .weights.h5 file of the backbone without its top layers."), Group.BASIC),
    ] = None
    size: Annotated[
        int,
        Setting(
            N_("Input size"),
            N_(
                "Height and width of the input in pixels. 0 for the backbone's own, or with layers chosen by "
                "cross-validation for the better of that and 320."
            ),
            Group.MODEL,
        ),
        Field(ge=0),
    ] = 0
    tap: Annotated[
        str,
        Setting(
            N_("Feature layer (tap)"),
            N_(
                "Backbone layer whose output is the feature map, shallow to deep. Middle layers often describe the "
                "texture of X-rays better, and cost less. Several can be joined with +, and 'auto' chooses by "
                "cross-validation, both with the logistic head. Empty for auto, with other heads the last."
            ),
            Group.MODEL,
            sweep=TAPS_OF_BACKBONE,
        ),
    ] = ""
    preprocessing: Annotated[
        Literal["native", "unit"],
        Setting(
            N_("Preprocessing"),
            N_("Scaling of pixel values before the backbone."),
            Group.MODEL,
            values={"native": N_("as the backbone was trained"), "unit": N_("x / 255, as in the tutorials")},
        ),
    ] = "native"
    image_transform: Annotated[
        Literal["", "only-lungs", "crop", "match", "markers", "equalise"],
        Setting(
            N_("Image transform"),
            N_(
                "Applied to every image before the backbone; the mitigations on the Results page measure what each "
                "removes. Lungs are found by the bundled segmenter; where it fails, the image stays as it is."
            ),
            Group.DATA,
            values=image_transforms.TRANSFORMS,
        ),
    ] = ""
    seed: Annotated[
        int,
        Setting(N_("Seed"), N_("Seed of the initial weights and of the batch order."), Group.OPTIMISATION),
        Field(ge=0, lt=2**32),
    ] = 0

    @model_validator(mode="before")
    @classmethod
    def _fill_from_backbone(cls, values: Any) -> Any:
        """Fill `size`, `tap` and `weights` from the table of backbones."""
        if not isinstance(values, dict):
            return values
        backbone = backbones.find(values.get("backbone", "cxrtiny"))
        if backbone is None:
            return values
        kind = "file" if values.get("weights_file") else backbone.weights_kinds[0]
        size = 0 if values.get("tap") == AUTO else backbone.size
        own = {"size": size, "tap": backbone.taps[-1], "weights": kind}
        return own | {name: value for name, value in values.items() if value or name not in own}

    @model_validator(mode="after")
    def _agrees_with_backbone(self) -> Self:
        backbone = backbones.get(self.backbone)
        low, high = backbone.sizes
        if not low <= self.size <= high and not (self.tap == AUTO and self.size == 0):
            raise UserError(
                "size of {key}: expected {low} to {high} pixels. Received: {size}",
                key=backbone.key,
                low=low,
                high=high,
                size=self.size,
            )
        order = [backbone.taps.index(tap) if tap in backbone.taps else -1 for tap in self.taps]
        if self.tap != AUTO and (order[0] < 0 or any(low >= high for low, high in itertools.pairwise(order))):
            expected = ", ".join(backbone.taps)
            raise UserError(
                "tap of {key}: expected one of {expected}. Received: {tap!r}",
                key=backbone.key,
                expected=expected,
                tap=self.tap,
            )
        weights.check_kind(backbone, self.weights)
        if (self.weights == "file") != (self.weights_file is not None):
            raise UserError("weights_file: expected a path with weights 'file', and none otherwise.")
        return self

    @property
    def taps(self) -> list[str]:
        """The taps, from shallow to deep."""
        return self.tap.split("+")

    @property
    def moments(self) -> bool:
        """Whether the feature map holds the values of the taps and their squares, see `FeatureKey`."""
        return False

    @property
    def preprocessing_mode(self) -> str:
        """The key of `preprocessing.MODES` that applies."""
        return "unit" if self.preprocessing == "unit" else backbones.get(self.backbone).preprocessing

    def resolve(self, progress: Progress | None = None) -> Weights:
        """Return the weights of the backbone; downloads them if it must.

        Raises:
            UserError: the file is absent, or the download failed.
        """
        return weights.resolve(backbones.get(self.backbone), self.weights, self.weights_file, self.seed, progress)

    def key(
        self, digest: str, image_transform: str | None = None, lungs_from_files: bool = False, pooled: bool = False
    ) -> FeatureKey:
        """Return what names the activations of a backbone whose weights have this digest.

        Args:
            digest: of the weights, see `Weights`.
            image_transform: in place of the config's own, None for that.
            lungs_from_files: whether lungs come from mask files instead of the segmenter.
            pooled: whether only the mean of each channel is kept.
        """
        transform = self.image_transform if image_transform is None else image_transform
        lungs = ""
        if image_transforms.needs_lungs(transform):
            lungs = image_transforms.LUNGS_FROM_FILES if lungs_from_files else lung_segmenter.digest()
        return FeatureKey(
            backbone=self.backbone,
            weights=digest,
            size=self.size,
            preprocessing=self.preprocessing_mode,
            tap=self.tap,
            pooled=pooled,
            image_transform=transform,
            lungs=lungs,
            engine=gpus.engine_for(self.backbone),
            moments=self.moments,
        )
