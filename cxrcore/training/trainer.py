"""The fit loop: one compiled call an epoch on kept activations."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from cxrcore.config.run_config import RunConfig
from cxrcore.errors import Stopped, UserError
from cxrcore.training import losses
from cxrcore.training.callbacks import Callback, Epoch, FitResult
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.steps import compiled
from cxrcore.training.trainer_state import TrainerState


def epoch_order(count: int, seed: int, epoch: int, views: int = 1) -> np.ndarray:
    """Return the order in which epoch number `epoch` (from 1) visits `count` rows, each as one of its `views`: view v
    of row r has the number r + v * count.
    """
    draw = np.random.default_rng([seed, epoch])
    order = draw.permutation(count)
    return order if views == 1 else order + count * draw.integers(views, size=count)


def fit(
    body: Any,
    train: FeatureVectors,
    validation: FeatureVectors,
    config: RunConfig,
    talk: Callback | None = None,
    before: FitResult | None = None,
) -> FitResult:
    """Train `body` in place and leave it with the weights that the config says to keep.

    `talk` hears of every epoch, may change the learning rate, and may raise `Stopped` from `check`: after at least one
    epoch, the fit then ends early; before that, the exception is passed on. It also says where an earlier fit was
    left. `before` is the fit of the head when the backbone is tuned after it: epochs are counted on, and the weights
    at the start are kept unless an epoch does better.
    """
    talk = talk or Callback()
    body.optimizer = losses.optimizer(config)  # not compiled: the saved model is to be the network alone
    body.optimizer.build(body.trainable_variables)
    step, measure = compiled(body, config, train.labels)
    course = TrainerState(body, config, before, talk.state("tuning" if before else "head"))
    stopped = False
    while course.goes_on:
        number = course.epoch + 1
        course.set_rate(number, talk.rate(number))
        try:
            epoch = _epoch(number, course, train, validation, step, measure, talk.check)
            _require_numbers(epoch)
            course.finished(epoch)
            talk.epoch(epoch)
        except Stopped:
            if course.kept == 0:
                raise
            stopped = True
            break
        talk.keep(course.state)
    if not stopped or train.whole:  # where an epoch is several calls, some of one may be done already
        talk.keep(lambda: course.state(complete=not stopped), last=True)
    body.set_weights(course.weights)
    body.optimizer = None
    return FitResult(course.kept, course.best, course.epoch, stopped)


def _require_numbers(epoch: Epoch) -> None:
    if not np.isfinite([epoch.loss, epoch.val_loss]).all():
        number = epoch.epoch
        raise UserError("The loss is no number any more in epoch {number}. Lower the learning rate.", number=number)


def _epoch(
    number: int,
    course: TrainerState,
    train: FeatureVectors,
    validation: FeatureVectors,
    step: Callable,
    measure: Callable,
    check: Callable[[], None],
) -> Epoch:
    start, rate = perf_counter(), float(course.body.optimizer.learning_rate)
    order = epoch_order(len(train), course.config.seed, number, train.views)
    loss, accuracy = _mean(_calls(train.blocks(order), step, check), len(train))
    # Stopped after the step, an epoch would be learned but not counted: where it is one call, it is measured, too.
    after = (lambda: None) if train.whole else check
    val_loss, val_accuracy = _mean(_calls(validation.blocks(), measure, after), len(validation))
    return Epoch(number, loss, accuracy, val_loss, val_accuracy, rate, perf_counter() - start, course.phase)


def _calls(blocks: Iterator, function: Callable, check: Callable[[], None]) -> Iterator:
    for vectors, labels, order in blocks:
        check()
        yield function(vectors, labels, order)


def _mean(sums: Iterator, count: int) -> tuple[float, float]:
    loss, correct = np.sum([np.asarray(pair) for pair in sums], axis=0)
    return float(loss / count), float(correct / count)
