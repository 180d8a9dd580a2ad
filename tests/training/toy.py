"""A small problem to fit, and someone who hears of its epochs."""

import numpy as np

from cxrcore.config import run_config
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads
from cxrcore.training.callbacks import Callback
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import fit


class Heard(Callback):
    """Keeps what is said, and says what the test wants: `rates` by epoch, where a fit was `left`."""

    def __init__(self, check=None, rates=None, left=None):
        self.epochs, self.states, self._rates, self._left = [], [], rates or {}, left
        if check:
            self.check = check

    def epoch(self, epoch):
        self.epochs.append(epoch)

    def rate(self, epoch):
        return self._rates.get(epoch)

    def keep(self, state, last=False):
        self.states.append(state())

    def state(self, phase):
        return self._left


class ArrayMaps:
    """Activations from an array."""

    def __init__(self, maps):
        self.maps = maps
        self.map_shape = maps.shape[1:]

    def chunks(self, numbers):
        return np.array_split(numbers, 3)

    def rows(self, numbers):
        return self.maps[np.asarray(numbers)]


def draw(seed=0, count=40, channels=6):
    """Return maps whose class shows in one channel, and the classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    maps = rng.normal(size=(count, 4, 4, channels)).astype(np.float32)
    maps[np.arange(count), :, :, labels] += 2
    return ArrayMaps(maps), labels


def fitted(values, maps, labels, rows=None, memory=2**30, **said):
    """Fit a head on the first 30 rows and return it, the epochs and the outcome."""
    head, heard, outcome = heard_fit(values, maps, labels, Heard(**said), rows, memory)
    return head, heard.epochs, outcome


def heard_fit(values, maps, labels, heard, rows=None, memory=2**30):
    made = run_config.make(dataset="d", **values)
    keras.utils.set_random_seed(made.seed)
    head = heads.build(made.head, maps.map_shape, 3, made.dropout)
    train, validation = np.split(rows if rows is not None else np.arange(len(labels)), [30])
    parts = [
        FeatureVectors(maps, part, labels, head.get_layer("stem"), made.batch_size, memory)
        for part in (train, validation)
    ]
    return head, heard, fit(head.get_layer("body"), *parts, made, heard)
