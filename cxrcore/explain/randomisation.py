"""The sanity check by weight randomisation (Adebayo et al. 2018, arXiv:1810.03292): does a heatmap depend on the model?

Weights are shuffled layer by layer from the top. A heatmap that stays the same shows the image, not the model.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

if TYPE_CHECKING:
    from cxrcore.features.keras_setup import keras


def stages(classifier: "keras.Model", taps: list[str], seed: int = 0) -> Iterator[str]:
    """Shuffle the weights of `classifier` in place, more at each step, and yield the last layer shuffled: `head`, then
    each tap from the deepest on.

    Shuffling the values of each array keeps their distribution, so that activations do not vanish.
    """
    rng = np.random.default_rng(seed)
    _shuffle(classifier.get_layer("head").get_layer("body").layers, rng)
    yield "head"
    layers = classifier.get_layer("features").get_layer("backbone").layers
    names = [layer.name for layer in layers]
    top = len(layers)
    for tap, below in zip(taps, [*taps[1:], None], strict=True):
        bottom = names.index(below) + 1 if below else 0
        _shuffle(layers[bottom:top], rng)
        top = bottom
        yield tap


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps (h, w), -1 to 1.

    Of a constant map: 1 with another constant one, 0 with any other.
    """
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float(np.ptp(first) == np.ptp(second))
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def _shuffle(layers: "Sequence[keras.Layer]", rng: np.random.Generator) -> None:
    for layer in layers:
        if values := layer.get_weights():
            layer.set_weights([rng.permuted(value.ravel()).reshape(value.shape) for value in values])
