"""The time that a run with the logistic head is expected to take, before it is started."""

from dataclasses import dataclass

import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data.dataset import Dataset
from cxrcore.errors import UserError
from cxrcore.features import backbones, weights
from cxrcore.features.store import Store
from cxrcore.training.pooled_data import LARGER, is_larger_tried

_START = 10.0  # seconds to load the libraries, to build the backbone and to save
_CANDIDATE = 0.002  # seconds to compare one candidate, for each image


@dataclass(frozen=True)
class ExpectedTime:
    """`seconds` for a number of `images`; `left_out` is an input size that the time budget does not allow, else 0."""

    seconds: float
    images: int
    left_out: int = 0


def before(config: RunConfig, data: Dataset) -> ExpectedTime | None:
    """Return the time for training and testing on a dataset, without a download; None for a head that is trained by
    gradient descent, which takes as long as early stopping lets it.

    It is made of the features that are not kept yet and the heatmaps, at the backbone's rate on two laptop cores, and
    of the comparison of the candidates.
    """
    if config.head != "logistic":
        return None
    backbone, table, digest = backbones.get(config.backbone), data.usable, _digest(config)
    copies = 1 + (config.augment.views if config.augment else 0)

    def pass_seconds(images: float, size: int) -> float:
        return images / backbone.rate * (size / backbone.size) ** 2

    own = config.size or backbone.size
    seconds = pass_seconds(copies * _missing(config, table, own, digest), own)
    sizes, left_out = 1, 0
    if is_larger_tried(config):
        if seconds * (LARGER / own) ** 2 <= config.budget:
            seconds += pass_seconds(copies * _missing(config, table, LARGER, digest), LARGER)
            sizes = 2
        else:
            left_out = LARGER
    candidates = sizes * (len(backbone.joined_taps) if config.chooses else 1)
    tested = len(table) * (1 / config.resampling.folds if config.resampling.folds else config.split.test)
    comparison = config.resampling.count * candidates * len(table) * _CANDIDATE
    return ExpectedTime(_START + seconds + comparison + pass_seconds(tested, own), len(table), left_out)


def _digest(config: RunConfig) -> str:
    """Return the digest of the weights, "" where they are not on this machine."""
    if config.weights == "imagenet" and not weights.on_disk(backbones.get(config.backbone)):
        return ""
    try:
        return config.resolve().digest
    except UserError:
        return ""


def _missing(config: RunConfig, table: pd.DataFrame, size: int, digest: str) -> int:
    """Return how many images have no features at an input size yet."""
    if not digest:
        return len(table)
    tap = backbones.get(config.backbone).taps[-1] if config.chooses else config.taps[-1]
    key = config.model_copy(update={"size": size, "tap": tap}).key(digest, pooled=True)
    return len(Store(key).missing(table["sha256"]))
