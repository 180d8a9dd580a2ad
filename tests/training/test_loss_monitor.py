"""Warnings within the first epochs: outputs that are all the same, and an exploding loss."""

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.training.run_recorder import RunRecorder
from tests.training.toy import ArrayMaps, RecordingCallback, fit_head, make_maps, shuffled


class _Warnings(RecordingCallback):
    def __init__(self):
        super().__init__()
        self.warnings = []

    def on_warning(self, event):
        self.warnings.append(event)


def _warnings(maps, labels, **values):
    settings = {"epochs": 12, "early_stopping": 0, "schedule": "constant", "size": 64} | values
    return fit_head(settings, maps, labels, _Warnings())[1].warnings


def test_outputs_that_are_all_the_same_are_warned_of_once_with_what_to_change():
    maps, labels = make_maps()
    (event,) = _warnings(ArrayMaps(np.ones_like(maps.maps)), labels, head="tutorial", learning_rate=0.01)
    assert event.event == "collapsed" and 3 <= event.epoch <= 10
    assert "Lower the learning rate from 0.01 to 0.001" in str(event.message) and "'logistic'" in str(event.message)


def test_rate_a_thousand_times_too_large_explodes():
    maps, labels = make_maps()
    (event,) = _warnings(maps, shuffled(labels), head="gap", learning_rate=5.0)
    assert (event.event, event.epoch) == ("exploded", 3)
    assert f"{event.value:.3g} in epoch 3, against 1.10 for equal probabilities" in str(event.message)


@pytest.mark.parametrize(
    "values", [{"head": "tutorial", "learning_rate": 1e-3}, {"head": "gap", "learning_rate": 1e-6}]
)
def test_training_that_goes_well_or_slowly_gets_no_warning(values):
    maps, labels = make_maps()
    assert _warnings(maps, labels, **values) == []
    assert _warnings(ArrayMaps(100 * maps.maps), labels, **values) == [], "inputs of another scale"


def test_recorder_keeps_the_warning_as_an_event(home):
    maps, labels = make_maps()
    recorder = RunRecorder(runs.create(run_config.make(dataset="d")))
    recorder.training(4)
    values = {"epochs": 4, "learning_rate": 5.0, "size": 64, "early_stopping": 0}
    fit_head(values, maps, shuffled(labels), recorder)
    (event,) = recorder.run.events
    assert (event.event, event.epoch) == ("exploded", 3) and event.value == recorder.run.epochs[2].loss
