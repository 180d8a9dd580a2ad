"""The training loop: one compiled call per epoch on cached features."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.errors import Stopped, UserError
from cxrcore.runs import EpochMetrics
from cxrcore.training import optimizers
from cxrcore.training.callbacks import Callback, FitResult
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.loss_monitor import LossMonitor
from cxrcore.training.steps import EpochStep, compile_steps
from cxrcore.training.trainer_state import TrainerState


def epoch_order(count: int, seed: int, epoch: int, views: int = 1) -> np.ndarray:
    """Return the order in which epoch number `epoch` (from 1) visits `count` rows, each as one of its `views`: view v
    of row r has the number r + v * count.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(count)
    return order if views == 1 else order + count * rng.integers(views, size=count)


def fit(
    model: Any,
    train: FeatureVectors,
    validation: FeatureVectors,
    config: RunConfig,
    callback: Callback | None = None,
    previous: FitResult | None = None,
) -> FitResult:
    """Train `model` in place and leave it with the weights that the config says to keep.

    `callback` is called after every epoch, may change the learning rate, and may raise `Stopped` from `check`: after at
    least one epoch, the fit then ends early; before that, the exception is passed on. It also gives the checkpoint to
    continue from. `previous` is the fit of the head when the backbone is fine-tuned after it: epochs are counted on,
    and the weights at the start are kept unless an epoch does better.
    """
    callback = callback or Callback()
    model.optimizer = optimizers.optimizer(config)  # not compiled: the saved model is to be the network alone
    model.optimizer.build(model.trainable_variables)
    train_epoch, eval_epoch = compile_steps(model, config, train.labels)
    monitor = None if previous else LossMonitor(model, train, config)  # fine-tuning has maps, too large to be looked at
    state = TrainerState(model, config, previous, callback.load_checkpoint("tuning" if previous else "head"))
    stopped = False
    while state.has_next:
        number = state.epoch + 1
        state.set_learning_rate(number, callback.requested_learning_rate(number))
        try:
            epoch = _epoch(number, state, train, validation, train_epoch, eval_epoch, callback.check)
            _require_finite(epoch)
            state.on_epoch_end(epoch)
            callback.on_epoch_end(epoch)
            if monitor and (warning := monitor.warning(epoch)):
                callback.on_warning(warning)
        except Stopped:
            if state.kept == 0:
                raise
            stopped = True
            break
        callback.save_checkpoint(state.checkpoint)
    if not stopped or train.in_memory:  # where an epoch is several calls, some of one may be done already
        callback.save_checkpoint(lambda: state.checkpoint(complete=not stopped), last=True)
    model.set_weights(state.weights)
    model.optimizer = None
    return FitResult(state.kept, state.best, state.epoch, stopped)


def _require_finite(epoch: EpochMetrics) -> None:
    if not np.isfinite([epoch.loss, epoch.val_loss]).all():
        raise UserError("Loss became NaN or infinite in epoch {number}. Lower the learning rate.", number=epoch.epoch)


def _epoch(
    number: int,
    state: TrainerState,
    train: FeatureVectors,
    validation: FeatureVectors,
    train_epoch: EpochStep,
    eval_epoch: EpochStep,
    check: Callable[[], None],
) -> EpochMetrics:
    start, rate = perf_counter(), float(state.model.optimizer.learning_rate)
    order = epoch_order(len(train), state.config.seed, number, train.views)
    loss, accuracy = _mean(_calls(train.blocks(order), train_epoch, check), len(train))
    # Stopped after training, an epoch would be trained but not counted: where it is one call, it is evaluated, too.
    after = (lambda: None) if train.in_memory else check
    val_loss, val_accuracy = _mean(_calls(validation.blocks(), eval_epoch, after), len(validation))
    return EpochMetrics(
        epoch=number,
        loss=loss,
        accuracy=accuracy,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        learning_rate=rate,
        seconds=perf_counter() - start,
        phase=state.phase,
    )


def _calls(blocks: Iterator[tuple[Any, Any, Any]], step: EpochStep, check: Callable[[], None]) -> Iterator[Any]:
    def call(block: tuple[Any, Any, Any]) -> Any:
        check()
        return step(*block)

    return map(call, blocks)  # a loop would keep a block in memory while the next one is read


def _mean(sums: Iterator[Any], count: int) -> tuple[float, float]:
    loss, correct = np.sum([np.asarray(pair) for pair in sums], axis=0)
    return float(loss / count), float(correct / count)
