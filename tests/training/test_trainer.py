"""The same model: training on kept activations equals plain Keras on the whole model."""

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from cxrcore.config import run_config
from cxrcore.data.images import load
from cxrcore.data.phantom.images import DISEASES, PhantomImage, take
from cxrcore.errors import Stopped, UserError
from cxrcore.features import extract
from cxrcore.features.config import FeatureSpec
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.keras_setup import keras
from cxrcore.features.weights import Weights
from cxrcore.training import checkpoint, heads
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import epoch_order, fit
from tests.training.toy import ArrayMaps, Heard, draw, fitted, heard_fit

SIZE, COUNT = 64, 21


@pytest.mark.parametrize("kind", ["tutorial", "gap"])
def test_three_epochs_equal_plain_keras_on_the_whole_model(kind, save, home):
    labels = np.arange(COUNT) % 3
    shots = [take(PhantomImage(DISEASES[label], k, 0), seed=0) for k, label in enumerate(labels)]
    paths = [save(f"{k}.png", phantom.image) for k, phantom in enumerate(shots)]
    table = pd.DataFrame([{"path": str(path), "sha256": sha256(path.read_bytes()).hexdigest()} for path in paths])
    pixels = np.stack([load(path, SIZE) for path in paths])
    made = run_config.make(
        dataset="d", size=SIZE, head=kind, dropout=0.0, epochs=3, batch_size=5, plateau=None, early_stopping=0,
        keep="last", learning_rate=1e-3,
    )  # fmt: skip
    spec = FeatureSpec("cxrtiny", "bundled", SIZE, "minus_one_to_one", made.tap)
    features = spec.build(Weights(BUNDLED_WEIGHTS, "bundled"))
    maps = extract.activations(table, spec, lambda: features)
    head = heads.build(kind, maps.map_shape, 3, 0.0)
    start = head.get_weights()
    part = FeatureVectors(maps, np.arange(COUNT), labels, head.get_layer("stem"))
    heard = Heard()
    fit(head.get_layer("body"), part, part, made, heard)
    ours = heard.epochs

    head.set_weights(start)
    model = heads.whole(features, head)
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in ours:
        order = epoch_order(COUNT, made.seed, epoch.epoch)
        plain = model.fit(
            pixels[order].astype(np.float32), labels[order], batch_size=5, shuffle=False, verbose=0
        ).history
        assert epoch.loss == pytest.approx(plain["loss"][0], rel=1e-3)
        assert epoch.accuracy == pytest.approx(plain["accuracy"][0], abs=1e-6)
        val_loss, val_accuracy = model.evaluate(pixels.astype(np.float32), labels, verbose=0)
        assert epoch.val_loss == pytest.approx(val_loss, rel=1e-3)
        assert epoch.val_accuracy == pytest.approx(val_accuracy, abs=1e-6)


def test_it_learns_what_can_be_learned():
    maps, labels = draw()
    _, epochs, _ = fitted({"epochs": 40, "learning_rate": 0.05}, maps, labels)
    assert epochs[-1].val_accuracy == 1.0 and epochs[-1].loss < epochs[0].loss / 3


def test_the_same_config_gives_the_same_curve_and_another_seed_another():
    maps, labels = draw()
    one, same, other = (fitted({"epochs": 3, "seed": seed}, maps, labels)[1] for seed in (1, 1, 2))
    assert [e.loss for e in one] == [e.loss for e in same]
    assert [e.loss for e in one] != [e.loss for e in other]


def test_blocks_too_large_for_memory_are_read_each_epoch_and_give_the_same_losses():
    """With one block a epoch or several, every row is visited in the same order."""
    maps, labels = draw(count=600)
    rows = np.arange(600)
    values = {"epochs": 2, "dropout": 0.0, "batch_size": 24}
    placed = fitted(values, maps, labels, rows)[1]
    streamed = fitted(values, maps, labels, rows, memory=1)[1]  # 240 rows a block, a multiple of the batch
    assert [e.loss for e in streamed] == pytest.approx([e.loss for e in placed], rel=1e-5)
    assert [e.val_loss for e in streamed] == pytest.approx([e.val_loss for e in placed], rel=1e-5)


def test_the_best_epoch_is_kept_and_the_last_if_so_configured():
    maps, labels = draw()
    noise = np.random.default_rng(1).permutation(labels)  # nothing to learn: validation gets worse
    values = {"epochs": 30, "learning_rate": 0.5, "early_stopping": 0}
    head, epochs, outcome = fitted(values, maps, noise)
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    assert outcome.kept_epoch == best.epoch < 30
    logits = np.log(np.maximum(head.predict(maps.maps[30:], verbose=0), 1e-30))
    assert -logits[np.arange(10), noise[30:]].mean() == pytest.approx(best.val_loss, rel=1e-3)
    assert fitted(values | {"keep": "last"}, maps, noise)[2].kept_epoch == 30


def test_early_stopping_and_plateau_act_as_kerass():
    maps, labels = draw()
    noise = np.random.default_rng(1).permutation(labels)
    plateau = {"factor": 0.5, "patience": 2, "cooldown": 0, "minimum": 1e-4}
    _, epochs, outcome = fitted(
        {"epochs": 60, "learning_rate": 0.5, "early_stopping": 6, "plateau": plateau}, maps, noise
    )
    assert len(epochs) == outcome.kept_epoch + 6
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates[outcome.kept_epoch + 1] == 0.5 and rates[outcome.kept_epoch + 2] == 0.25


def test_the_tutorials_plateau_never_acts():
    maps, labels = draw()
    noise = np.random.default_rng(1).permutation(labels)
    theirs = run_config.TUTORIAL["plateau"]
    _, epochs, _ = fitted({"epochs": 40, "learning_rate": 1e-3, "plateau": theirs, "early_stopping": 0}, maps, noise)
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([1e-3] * 40)


def test_a_stop_before_the_first_epoch_is_passed_on_and_later_keeps_the_best():
    maps, labels = draw()

    def stop_after(calls):
        count = iter(range(calls))

        def check():
            if next(count, None) is None:
                raise Stopped

        return check

    with pytest.raises(Stopped):
        fitted({"epochs": 9}, maps, labels, check=stop_after(0))
    _, epochs, outcome = fitted({"epochs": 9}, maps, labels, check=stop_after(5))
    assert outcome.stopped and len(epochs) == 5 and 1 <= outcome.kept_epoch <= 5


def test_a_loss_that_is_no_number_ends_the_run_with_advice():
    maps, labels = draw()
    maps.maps[0] = np.nan
    with pytest.raises(UserError, match=r"no number any more in epoch 1. Lower the learning rate"):
        fitted({"epochs": 3}, maps, labels)


def test_the_tutorial_head_needs_two_cells():
    with pytest.raises(UserError, match="larger input size or a shallower tap"):
        heads.build("tutorial", (1, 1, 8), 3, 0.2)


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_a_fit_left_after_any_epoch_goes_on_as_if_it_had_not_been_interrupted(schedule, tmp_path):
    """Weights, optimiser, dropout's random numbers and the counters of plateau and patience: all of it goes on."""
    maps, labels = draw()
    noise = np.random.default_rng(1).permutation(labels)
    plateau = {"factor": 0.5, "patience": 2, "cooldown": 0, "minimum": 1e-4}
    values = {
        "epochs": 12, "learning_rate": 0.3, "dropout": 0.5, "early_stopping": 6, "plateau": plateau,
        "schedule": schedule, "head": "tutorial",
    }  # fmt: skip
    whole_head, whole, outcome = heard_fit(values, maps, noise, Heard())
    for left in whole.states[:-1:3]:
        left.save(tmp_path / "left.npz")
        head, rest, again = heard_fit(values, maps, noise, Heard(left=checkpoint.load(tmp_path / "left.npz")))
        expected = [(e.epoch, e.loss, e.val_loss, e.learning_rate) for e in whole.epochs[left.epoch :]]
        assert [(e.epoch, e.loss, e.val_loss, e.learning_rate) for e in rest.epochs] == expected
        assert again == outcome
        for mine, theirs in zip(head.get_weights(), whole_head.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_fit_that_has_ended_does_nothing_more_unless_it_is_given_more_epochs():
    maps, labels = draw()
    _, ended, outcome = heard_fit({"epochs": 5}, maps, labels, Heard())
    left = ended.states[-1]
    _, same, again = heard_fit({"epochs": 5}, maps, labels, Heard(left=left))
    assert same.epochs == [] and again == outcome
    _, longer, _ = heard_fit({"epochs": 8}, maps, labels, Heard(left=left))
    assert [epoch.epoch for epoch in longer.epochs] == [6, 7, 8]


def test_a_fit_that_ended_early_is_given_its_patience_again():
    maps, labels = draw()
    noise = np.random.default_rng(1).permutation(labels)
    values = {"learning_rate": 0.5, "early_stopping": 4, "plateau": None}
    _, ended, outcome = heard_fit(values | {"epochs": 60}, maps, noise, Heard())
    assert outcome.last_epoch < 60
    _, longer, _ = heard_fit(values | {"epochs": 70}, maps, noise, Heard(left=ended.states[-1]))
    assert len(longer.epochs) >= 4


def test_a_rate_asked_for_holds_from_that_epoch_on():
    maps, labels = draw()
    rates = [e.learning_rate for e in fitted({"epochs": 4, "learning_rate": 0.1}, maps, labels, rates={3: 0.02})[1]]
    assert rates == pytest.approx([0.1, 0.1, 0.02, 0.02])
    cosine = {"epochs": 20, "learning_rate": 0.1, "schedule": "cosine"}
    plain, changed = (
        [e.learning_rate for e in fitted(cosine, maps, labels, rates=asked)[1]] for asked in ({}, {11: 0.05})
    )
    assert changed == pytest.approx([*plain[:10], *(rate / 2 for rate in plain[10:])])


def test_each_epoch_sees_every_image_once_as_one_of_its_views():
    order = epoch_order(50, 0, 1, views=4)
    assert sorted(order % 50) == list(range(50))
    assert {value // 50 for value in order} == {0, 1, 2, 3}
    assert not np.array_equal(order, epoch_order(50, 0, 2, views=4))
    np.testing.assert_array_equal(epoch_order(50, 0, 1), epoch_order(50, 0, 1, views=4) % 50)


def test_views_are_learned_from_in_place_of_the_images():
    """Three views, of which only the second says anything: without it, nothing could be learned."""
    maps, labels = draw(count=40)
    blank = np.zeros_like(maps.maps[:30])
    stacked = ArrayMaps(np.concatenate([blank, maps.maps[:30], blank, maps.maps[30:]]))
    numbers = np.concatenate([labels[:30], labels[:30], labels[:30], labels[30:]])
    made = run_config.make(dataset="d", epochs=60, learning_rate=0.05, dropout=0.0)
    head = heads.build("gap", maps.map_shape, 3, 0.0)
    train = FeatureVectors(stacked, np.arange(90), numbers, head.get_layer("stem"), views=3)
    validation = FeatureVectors(stacked, np.arange(90, 100), numbers, head.get_layer("stem"))
    heard = Heard()
    fit(head.get_layer("body"), train, validation, made, heard)
    assert len(train) == 30 and heard.epochs[-1].val_accuracy == 1.0
    assert heard.epochs[-1].accuracy < 0.9  # two of three views say nothing


def test_a_stop_in_the_middle_of_an_epoch_goes_on_without_learning_it_twice():
    """Wherever the stop arrives, what was learned is what was counted."""
    maps, labels = draw()
    values = {"epochs": 8, "learning_rate": 0.1, "early_stopping": 0}
    _, whole, _ = heard_fit(values, maps, labels, Heard())
    for calls in range(1, 8):
        count = iter(range(calls))

        def check(count=count):
            if next(count, None) is None:
                raise Stopped

        _, stopped, _ = heard_fit(values, maps, labels, Heard(check=check))
        _, rest, _ = heard_fit(values, maps, labels, Heard(left=stopped.states[-1]))
        losses = [epoch.loss for epoch in [*stopped.epochs, *rest.epochs]]
        assert losses == [epoch.loss for epoch in whole.epochs]
