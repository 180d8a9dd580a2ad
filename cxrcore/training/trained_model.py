"""What a training gives: the head, how its fit ended, and what belongs to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxrcore.features.feature_maps import FeatureMaps
from cxrcore.runs import Selection
from cxrcore.training.callbacks import FitResult


@dataclass(frozen=True)
class HeldOut:
    """Predictions of images by models that were not trained on them: rows of the table, int (n,), and probabilities,
    float32 (n, classes).
    """

    rows: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class TrainedModel:
    """A trained head.

    Attributes:
        head: from maps to probabilities; the weights of a fine-tuned backbone are in the training data's `tail`.
        fit: how the training ended.
        maps: what the head takes, of all images.
        last_channels: of the last tap in these maps, see `graph.descriptor`.
        held_out: of a head that was chosen by cross-validation, the out-of-fold predictions of the training part; None
            for a head with a validation part.
        selection: what such a head was chosen from.
        whole_maps: where `maps` are means over maps, computes the maps of chosen rows.
    """

    head: Any
    fit: FitResult
    maps: FeatureMaps
    last_channels: int
    held_out: HeldOut | None = None
    selection: Selection | None = None
    whole_maps: Callable[[np.ndarray], FeatureMaps] | None = None
