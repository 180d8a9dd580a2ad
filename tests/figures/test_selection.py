"""The plot of the candidates that a logistic head was chosen from, and the sentence beside it."""

import dataclasses

import pytest

from cxrcore.evaluation.intervals import proportion
from cxrcore.features import backbones
from cxrcore.figures import selection
from cxrcore.runs.models import Selection, SelectionTrial

MOBILE = backbones.get("mobilenetv2")
JOINED = "block_9_add+block_12_add+block_15_add"


def _selection(left_out=0):
    rows = [(224, "out_relu", 0.5), (224, JOINED, 0.25), (320, "out_relu", 0.4), (320, JOINED, 0.06125)]
    trials = [
        SelectionTrial(size=size, tap=tap, l2=0.03, loss=loss, accuracy=proportion(9, 10)) for size, tap, loss in rows
    ]
    return Selection(
        trials=trials, size=320, tap=JOINED, l2=0.03, temperature=2.0, folds=5, images=10, seconds=1, left_out=left_out
    )


def test_each_size_has_its_candidates_and_the_chosen_one_is_marked():
    figure = selection.selection(_selection(), MOBILE)
    small, large, chosen = figure.data
    assert (small.name, list(small.x), list(small.y)) == ("224 pixels", ["5", "2–4"], [0.5, 0.25])
    assert (large.name, list(large.y)) == ("320 pixels", [0.4, 0.06125])
    assert (list(chosen.x), list(chosen.y)) == (["2–4"], [0.06125])
    assert chosen.marker.color == large.marker.color != small.marker.color
    assert large.hovertext[1].split("<br>") == [
        "block_9_add + block_12_add + block_15_add", "log loss 0.061", "accuracy 90.0% (59.6% to 98.2%)", "L2 0.03",
        "46 ms",
    ]  # fmt: skip


def test_accuracy_by_time_has_intervals_and_the_chosen_one_is_marked():
    backbone = dataclasses.replace(MOBILE, rate=50, tap_shares=(0.2, 0.4, 0.5, 0.8, 1))
    figure = selection.cost(_selection(), backbone)
    small, large, chosen = figure.data
    # 20 ms up to the last layer at 224 pixels, (320 / 224)^2 times as long at 320; 0.8 of it up to block_15_add
    assert list(small.x) == pytest.approx([20, 16]) and list(large.x) == pytest.approx([40.816, 32.653], abs=1e-3)
    assert list(small.y) == [0.9, 0.9]
    low, high = proportion(9, 10).low, proportion(9, 10).high
    assert list(small.error_y.array) == pytest.approx([high - 0.9] * 2)
    assert list(small.error_y.arrayminus) == pytest.approx([0.9 - low] * 2)
    assert (list(chosen.x), chosen.marker.symbol) == (pytest.approx([32.653], abs=1e-3), "circle-open")


def test_sentence_says_what_was_chosen_and_what_was_not_tried():
    assert str(_selection().sentence) == (
        "Chosen: layers block_9_add + block_12_add + block_15_add at 320 pixels, L2 0.03: lowest out-of-fold log loss "
        "(0.061) of 4 candidates; test images were not used."
    )
    assert _selection().note is None
    assert str(_selection(320).note) == "320 pixels were not tried within the time budget."
