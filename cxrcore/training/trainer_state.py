"""The state of a fit: its best epoch, its learning rate, and when it ends."""

from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.features.keras_setup import keras
from cxrcore.runs import EpochMetrics
from cxrcore.training import optimizers
from cxrcore.training.callbacks import FitResult
from cxrcore.training.checkpoint import Checkpoint

# What Keras's callbacks keep from one epoch to the next.
_COUNTERS = {"ReduceLROnPlateau": ("best", "wait", "cooldown_counter"), "EarlyStopping": ("best", "wait")}


class TrainerState:
    """The state of one fit of `model`, from its first epoch or from a checkpoint."""

    def __init__(
        self, model: Any, config: RunConfig, previous: FitResult | None, checkpoint: Checkpoint | None
    ) -> None:
        """`previous` is the fit of the head, when the backbone is fine-tuned after it."""
        self.model, self.config, self.phase = model, config, "tuning" if previous else "head"
        self._first = self.epoch = previous.last_epoch if previous else 0
        self.best, self.kept = (previous.best, previous.kept_epoch) if previous else (np.inf, 0)
        self.weights = model.get_weights()
        self._rate, self._complete = config.learning_rate, False
        self._callbacks = _keras_callbacks(model, config)
        if checkpoint:
            self._restore(checkpoint)

    @property
    def has_next(self) -> bool:
        """Whether there is another epoch."""
        ended = self._complete or self.model.stop_training
        return not ended and self.epoch < self._first + self.config.epochs

    def set_learning_rate(self, epoch: int, requested: float | None) -> None:
        """Set the learning rate of an epoch: as the schedule has it, or as was `requested` from now on."""
        self._rate = requested or self._rate
        if self.config.schedule == "cosine":
            config = self.config.model_copy(update={"learning_rate": self._rate})
            self.model.optimizer.learning_rate = optimizers.cosine(config, epoch - self._first)
        elif requested:
            self.model.optimizer.learning_rate = requested

    def on_epoch_end(self, epoch: EpochMetrics) -> None:
        """Take in the metrics of an epoch."""
        self.epoch = epoch.epoch
        if self.config.keep == "last" or epoch.val_loss < self.best or self.kept == 0:
            self.best, self.kept, self.weights = epoch.val_loss, epoch.epoch, self.model.get_weights()
        for callback in self._callbacks:
            callback.on_epoch_end(epoch.epoch - 1, {"val_loss": epoch.val_loss})

    def checkpoint(self, complete: bool = False) -> Checkpoint:
        """Return what is needed to continue after the last epoch."""
        counters = {
            name: {key: float(value) for key in _COUNTERS[name] if (value := getattr(callback, key)) is not None}
            for callback in self._callbacks
            if (name := type(callback).__name__)
        }
        return Checkpoint(
            phase=self.phase,
            epoch=self.epoch,
            rate=self._rate,
            kept=self.kept,
            best=float(self.best),
            variables=_values(self.model.variables),
            optimizer=_values(self.model.optimizer.variables),
            weights=self.weights,
            callbacks=counters,
            complete=self.config.epochs if complete else 0,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        for variables, values in (
            (self.model.variables, checkpoint.variables),
            (self.model.optimizer.variables, checkpoint.optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self.epoch, self._rate = checkpoint.epoch, checkpoint.rate
        self.kept, self.best, self.weights = checkpoint.kept, checkpoint.best, checkpoint.weights
        self._complete = checkpoint.complete == self.config.epochs
        for callback in self._callbacks:
            for key, value in checkpoint.callbacks.get(name := type(callback).__name__, {}).items():
                setattr(callback, key, value)
                if name == "EarlyStopping" and key == "wait" and value >= self.config.early_stopping:
                    callback.wait = 0  # a fit that had ended gets its patience again
                    self.model.stop_training = not checkpoint.complete


def _keras_callbacks(model: Any, config: RunConfig) -> list[Any]:
    callbacks: list[Any] = []
    if config.schedule == "plateau" and config.plateau:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_loss",
                factor=config.plateau.factor,
                patience=config.plateau.patience,
                cooldown=config.plateau.cooldown,
                min_lr=config.plateau.minimum,
            )
        )
    if config.early_stopping:
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=config.early_stopping))
    model.stop_training = False
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    return callbacks


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
