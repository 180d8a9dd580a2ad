"""A small classification problem, and a callback that records a fit."""

import numpy as np

from cxrcore.config import run_config
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads
from cxrcore.training.callbacks import Callback
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import fit


class RecordingCallback(Callback):
    """Keeps epochs and checkpoints. `rates` are the learning rates requested by epoch, `checkpoint` is continued from,
    `check` is called before every compiled call.
    """

    def __init__(self, check=None, rates=None, checkpoint=None):
        self.epochs, self.checkpoints, self._rates, self._checkpoint = [], [], rates or {}, checkpoint
        if check:
            self.check = check

    def on_epoch_end(self, epoch):
        self.epochs.append(epoch)

    def requested_learning_rate(self, epoch):
        return self._rates.get(epoch)

    def save_checkpoint(self, make, last=False):
        self.checkpoints.append(make())

    def load_checkpoint(self, phase):
        return self._checkpoint


class ArrayMaps:
    """Feature maps from an array."""

    def __init__(self, maps):
        self.maps = maps
        self.map_shape = maps.shape[1:]

    def chunks(self, numbers):
        return np.array_split(numbers, 3)

    def rows(self, numbers):
        return self.maps[np.asarray(numbers)]


def make_maps(seed=0, count=40, channels=6):
    """Return maps (count, 4, 4, channels) in which the channel of the class is higher by 2, and the classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    maps = rng.normal(size=(count, 4, 4, channels)).astype(np.float32)
    maps[np.arange(count), :, :, labels] += 2
    return ArrayMaps(maps), labels


def shuffled(labels):
    """Return the labels in random order, so that the maps do not predict them and the validation loss rises."""
    return np.random.default_rng(1).permutation(labels)


def fit_head(values, maps, labels, callback=None, rows=None, memory=2**30, trained=30):
    """Fit a head on the first rows, validate on the others; return the head, the callback and the result."""
    callback = callback or RecordingCallback()
    config = run_config.make(dataset="d", **values)
    keras.utils.set_random_seed(config.seed)
    head = heads.build(config.head, maps.map_shape, 3, config.dropout)
    train, validation = np.split(rows if rows is not None else np.arange(len(labels)), [trained])
    parts = [
        FeatureVectors(maps, part, labels, head.get_layer("stem"), config.batch_size, memory)
        for part in (train, validation)
    ]
    return head, callback, fit(head.get_layer("body"), *parts, config, callback)
