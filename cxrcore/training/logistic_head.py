"""One training of the logistic head: chosen by cross-validation, solved on the whole training part, calibrated."""

from functools import partial
from time import perf_counter

import numpy as np
import pandas as pd

from cxrcore.runs import EpochMetrics, Selection
from cxrcore.training import heads, selection
from cxrcore.training.callbacks import Callback, FitResult
from cxrcore.training.pooled_data import PooledData, PooledMaps, development
from cxrcore.training.selection import Selected
from cxrcore.training.trained_model import HeldOut, TrainedModel


def train(data: PooledData, parts: pd.Series, callback: Callback) -> TrainedModel:
    """Train on the rows that `parts` does not assign to the test.

    The callback's epochs are the solver's iterations: their losses and accuracies are the means over the folds, those
    of validation on the images that are held out.
    """
    config, start = data.config, perf_counter()
    callback.load_checkpoint("head")  # there is none: what an interrupted process reported is reported again
    examples = data.examples(development(parts))
    strengths = (config.l2,) if config.l2 else selection.STRENGTHS

    def progress(done: int, total: int) -> None:
        callback.check()
        callback.on_candidate(done, total)

    chosen = selection.select(
        data.candidates, data.vectors, examples, strengths, config.calibrate, config.seed, progress
    )
    candidate = chosen.candidate
    found = selection.fit(candidate, data.vectors, examples, chosen.l2)
    last = _report_iterations(chosen, data, callback)
    channels = data.means(candidate, np.arange(1)).shape[1] // 2
    head = heads.build_logistic(channels, found, chosen.temperature)
    logits = chosen.logits / chosen.temperature
    kept = Selection(
        trials=chosen.trials,
        size=candidate.size,
        tap=candidate.tap,
        l2=chosen.l2,
        temperature=chosen.temperature,
        folds=len(np.unique(chosen.fold)),
        images=len(chosen.examples),
        seconds=perf_counter() - start,
        left_out=data.left_out,
    )
    return TrainedModel(
        head,
        FitResult(last, selection.log_loss(logits, chosen.examples.labels), last, stopped=False),
        PooledMaps(data, candidate),
        data.last_channels(candidate),
        HeldOut(chosen.examples.rows, selection.probabilities(logits)),
        kept,
        partial(data.maps, candidate),
    )


def _report_iterations(chosen: Selected, data: PooledData, callback: Callback) -> int:
    start, number = perf_counter(), 0
    for number, each in enumerate(selection.iterations(chosen, data.vectors), start=1):
        now = perf_counter()
        callback.on_epoch_end(
            EpochMetrics(
                epoch=number,
                loss=each.loss,
                accuracy=each.accuracy,
                val_loss=each.held_out_loss,
                val_accuracy=each.held_out_accuracy,
                learning_rate=0.0,
                seconds=now - start,
            )
        )
        start = now
    return number
