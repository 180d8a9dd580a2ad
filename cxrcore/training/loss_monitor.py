"""Warns within the first epochs of a head that learns nothing: all outputs the same, or an exploding loss."""

from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.evaluation.training_loss import advice, constant_loss
from cxrcore.features.keras_setup import tf
from cxrcore.messages import msg
from cxrcore.runs import EpochMetrics, RunEvent
from cxrcore.training.feature_vectors import FeatureVectors

_FIRST, _LAST = 3, 10  # epochs that are looked at
_ROWS = 512
_SAME = 0.01  # largest difference between the probabilities of two images that counts as none
_CLOSE = 0.95  # of the loss of predicting the class frequencies
_STILL = 0.99  # of the loss of the epoch before
_EXPLODED = 2  # times the loss before training, or that of equal probabilities


class LossMonitor:
    """Looks at the epochs of one training; made before the first one, with the model as it is initialised."""

    def __init__(self, model: Any, train: FeatureVectors, config: RunConfig) -> None:
        self._model, self._config = model, config
        order = np.sort(np.random.default_rng(config.seed).permutation(len(train))[:_ROWS])
        vectors, labels, rows = next(train.blocks(order))
        self._vectors, self._labels = tf.gather(vectors, rows), tf.gather(labels, rows)
        logits = model(self._vectors, training=False)
        start = float(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(self._labels, logits)))
        self._too_high = _EXPLODED * max(start, float(np.log(logits.shape[-1])))
        self._constant = constant_loss(list(np.bincount(train.labels)))
        self._previous, self._warned = 0.0, False

    def warning(self, epoch: EpochMetrics) -> RunEvent | None:
        """Return an event that says what is wrong and what to change, once; None if nothing is."""
        previous, self._previous = self._previous, epoch.loss
        if self._warned or not _FIRST <= epoch.epoch <= _LAST:
            return None
        event = None
        if epoch.loss > self._too_high:
            event = self._exploded(epoch)
        elif epoch.loss > max(_CLOSE * self._constant, _STILL * previous) and self._is_constant():
            event = self._collapsed(epoch)
        self._warned = event is not None
        return event

    def _is_constant(self) -> bool:
        """Tell whether the model gives every image the same probabilities, as with hidden units that are all 0."""
        found = np.asarray(tf.nn.softmax(self._model(self._vectors, training=False)))
        return bool(np.ptp(found, axis=0).max() < _SAME)

    def _exploded(self, epoch: EpochMetrics) -> RunEvent:
        text = msg(
            "The training loss exploded: {loss:.3g} in epoch {epoch}, against {equal:.2f} for equal probabilities of "
            "all classes. {advice}",
            loss=epoch.loss,
            epoch=epoch.epoch,
            equal=float(np.log(self._model.output_shape[-1])),
            advice=advice(self._config),
        )
        return RunEvent(event="exploded", epoch=epoch.epoch, value=epoch.loss, message=text)

    def _collapsed(self, epoch: EpochMetrics) -> RunEvent:
        text = msg(
            "The head gives the same answer for every training image in epoch {epoch}, and the training loss, "
            "{loss:.3f}, does not fall. {advice}",
            epoch=epoch.epoch,
            loss=epoch.loss,
            advice=advice(self._config),
        )
        return RunEvent(event="collapsed", epoch=epoch.epoch, value=epoch.loss, message=text)
