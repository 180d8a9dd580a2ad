"""How far a fit is: its best epoch, its learning rate, and when it ends."""

from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.features.keras_setup import keras
from cxrcore.training import losses
from cxrcore.training.callbacks import Epoch, FitResult
from cxrcore.training.checkpoint import Checkpoint

# What Keras's callbacks remember from one epoch to the next.
_COUNTERS = {"ReduceLROnPlateau": ("best", "wait", "cooldown_counter"), "EarlyStopping": ("best", "wait")}


class TrainerState:
    """The course of one fit of `body`, from its beginning or from where an earlier one was left."""

    def __init__(self, body: Any, config: RunConfig, before: FitResult | None, left: Checkpoint | None) -> None:
        self.body, self.config, self.phase = body, config, "tuning" if before else "head"
        self._first = self.epoch = before.last_epoch if before else 0
        self.best, self.kept = (before.best, before.kept_epoch) if before else (np.inf, 0)
        self.weights = body.get_weights()
        self._rate, self._complete = config.learning_rate, False
        self._callbacks = _callbacks(body, config)
        if left:
            self._restore(left)

    @property
    def goes_on(self) -> bool:
        """Whether there is another epoch."""
        ended = self._complete or self.body.stop_training
        return not ended and self.epoch < self._first + self.config.epochs

    def set_rate(self, number: int, asked: float | None) -> None:
        """Set the learning rate of an epoch: as the schedule says, or as was `asked` for from now on."""
        self._rate = asked or self._rate
        if self.config.schedule == "cosine":
            config = self.config.model_copy(update={"learning_rate": self._rate})
            self.body.optimizer.learning_rate = losses.cosine(config, number - self._first)
        elif asked:
            self.body.optimizer.learning_rate = asked

    def finished(self, epoch: Epoch) -> None:
        """Take in the numbers of an epoch."""
        self.epoch = epoch.epoch
        if self.config.keep == "last" or epoch.val_loss < self.best or self.kept == 0:
            self.best, self.kept, self.weights = epoch.val_loss, epoch.epoch, self.body.get_weights()
        for callback in self._callbacks:
            callback.on_epoch_end(epoch.epoch - 1, {"val_loss": epoch.val_loss})

    def state(self, complete: bool = False) -> Checkpoint:
        """Return what is needed to go on after the last epoch."""
        counters = {
            name: {key: float(value) for key in _COUNTERS[name] if (value := getattr(callback, key)) is not None}
            for callback in self._callbacks
            if (name := type(callback).__name__)
        }
        return Checkpoint(
            self.phase, self.epoch, self._rate, self.kept, float(self.best),
            _values(self.body.variables), _values(self.body.optimizer.variables), self.weights, counters,
            self.config.epochs if complete else 0,
        )  # fmt: skip

    def _restore(self, left: Checkpoint) -> None:
        for variables, values in (
            (self.body.variables, left.variables),
            (self.body.optimizer.variables, left.optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self.epoch, self._rate, self.kept, self.best = left.epoch, left.rate, left.kept, left.best
        self.weights, self._complete = left.weights, left.complete == self.config.epochs
        for callback in self._callbacks:
            for key, value in left.callbacks.get(name := type(callback).__name__, {}).items():
                setattr(callback, key, value)
                if name == "EarlyStopping" and key == "wait" and value >= self.config.early_stopping:
                    callback.wait = 0  # a fit that had ended is given its patience again
                    self.body.stop_training = not left.complete


def _callbacks(body: Any, config: RunConfig) -> list[Any]:
    callbacks = []
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
    body.stop_training = False
    for callback in callbacks:
        callback.set_model(body)
        callback.on_train_begin()
    return callbacks


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
