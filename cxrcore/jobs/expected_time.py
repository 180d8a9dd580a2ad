"""The time that a run is expected to take, before it is started."""

from dataclasses import dataclass

import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data.dataset import Dataset
from cxrcore.errors import UserError
from cxrcore.features import backbones, weights
from cxrcore.features.store import Store
from cxrcore.training.pooled_data import LARGER, is_larger_tried, is_within_budget

_START = 10.0  # seconds to load the libraries, to build the backbone and to save
_CANDIDATE = 0.002  # seconds to compare one candidate, for each image
# Seconds of an epoch of a head on kept features, and for each training image; at most, on two laptop cores. A batch is
# passed forwards through the layers that are fine-tuned, and backwards for the errors and for the weights.
_EPOCH, _EPOCH_IMAGE, _TUNING_PASSES = 0.02, 1e-4, 3


@dataclass(frozen=True)
class ExpectedTime:
    """`seconds` for a number of `images`; `left_out` is an input size that the time budget does not allow, else 0."""

    seconds: float
    images: int
    left_out: int = 0


def before(config: RunConfig, data: Dataset) -> ExpectedTime:
    """Return the time for training and testing on a dataset, without a download; of a head that is trained by gradient
    descent, the time for all its epochs, which early stopping shortens.

    It is made of the features that are not kept yet and the heatmaps, at the backbone's rate on two laptop cores, and
    of the comparison of the candidates or the epochs.
    """
    backbone, table, digest = backbones.get(config.backbone), data.usable, _digest(config)
    copies, logistic = 1 + (config.augment.views if config.augment else 0), config.head == "logistic"
    own = config.size or backbone.size
    seconds = _pass(config, copies * _missing(config, table, own, digest, pooled=logistic), own)
    sizes, left_out = 1, 0
    if logistic and is_larger_tried(config):
        larger = _pass(config, copies * _missing(config, table, LARGER, digest, pooled=True), LARGER)
        if is_within_budget(config, larger):
            seconds, sizes = seconds + larger, 2
        else:
            left_out = LARGER
    once = comparing(config, len(table), sizes) if logistic else _epochs(config, len(table))
    training = config.resampling.count * once
    return ExpectedTime(_START + seconds + training + heatmaps(config, len(table)), len(table), left_out)


def _epochs(config: RunConfig, images: int) -> float:
    """Return the seconds for all epochs of one fold or repeat, and of fine-tuning, without early stopping."""
    trained = images * (1 - config.split.test) * (1 - config.split.validation)
    seconds = config.epochs * (_EPOCH + _EPOCH_IMAGE * trained)
    if config.tune:
        size = config.size or backbones.get(config.backbone).size
        seconds += config.tune.epochs * _pass(config, _TUNING_PASSES * trained, size)
    return seconds


def larger_pass(seconds: float, config: RunConfig) -> float:
    """Return how long a pass at `LARGER` takes after one at the config's own size took `seconds`."""
    return seconds * (LARGER / (config.size or backbones.get(config.backbone).size)) ** 2


def comparing(config: RunConfig, images: int, sizes: int) -> float:
    """Return the seconds to compare the candidates at one or two `sizes`, in one fold or repeat."""
    candidates = sizes * (len(backbones.get(config.backbone).joined_taps) if config.chooses else 1)
    return candidates * images * _CANDIDATE


def heatmaps(config: RunConfig, images: int) -> float:
    """Return the seconds for the heatmaps of the test images among all `images`."""
    tested = images / config.resampling.folds if config.resampling.folds else images * config.split.test
    return _pass(config, tested, config.size or backbones.get(config.backbone).size)


def _pass(config: RunConfig, images: float, size: int) -> float:
    backbone = backbones.get(config.backbone)
    return images / backbone.rate * (size / backbone.size) ** 2


def _digest(config: RunConfig) -> str:
    """Return the digest of the weights, "" where they are not on this machine."""
    if config.weights == "imagenet" and not weights.on_disk(backbones.get(config.backbone)):
        return ""
    try:
        return config.resolve().digest
    except UserError:
        return ""


def _missing(config: RunConfig, table: pd.DataFrame, size: int, digest: str, pooled: bool) -> int:
    """Return how many images have no features at an input size yet, `pooled` or as maps."""
    if not digest:
        return len(table)
    tap = backbones.get(config.backbone).taps[-1] if config.chooses else config.taps[-1]
    key = config.model_copy(update={"size": size, "tap": tap}).key(digest, pooled=pooled)
    return len(Store(key).missing(table["sha256"]))
