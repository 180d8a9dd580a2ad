"""The training loop: the same model as Keras's `fit`, interrupted or not."""

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from cxrcore.config import run_config
from cxrcore.data.images import load
from cxrcore.data.phantom.images import DISEASES, PhantomSpec, generate
from cxrcore.errors import DamagedFileError, Stopped, UserError
from cxrcore.features import extract
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.keras_setup import keras
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights
from cxrcore.inference import saved_model
from cxrcore.training import checkpoint, feature_vectors, heads
from cxrcore.training.feature_vectors import FeatureVectors
from cxrcore.training.trainer import epoch_order, fit
from tests.training.toy import ArrayMaps, RecordingCallback, fit_head, make_maps, shuffled

SIZE, COUNT = 64, 21
WEIGHTS = Weights(BUNDLED_WEIGHTS, "bundled")
PLATEAU = {"factor": 0.5, "patience": 2, "cooldown": 0, "minimum": 1e-4}


def _stop_after(calls):
    """Return a check that raises `Stopped` after so many calls."""
    count = iter(range(calls))

    def check():
        if next(count, None) is None:
            raise Stopped

    return check


@pytest.fixture(scope="module")
def features():
    """CXRTiny at 64 pixels, and the key of its activations."""
    key = FeatureKey("cxrtiny", "bundled", SIZE, "minus_one_to_one", "block5_out")
    return key, key.build(WEIGHTS)


@pytest.mark.parametrize("kind", ["tutorial", "gap"])
def test_three_epochs_equal_keras_fit_on_the_whole_model(kind, save, home, features):
    labels = np.arange(COUNT) % 3
    phantoms = [generate(PhantomSpec(DISEASES[label], k, 0), seed=0) for k, label in enumerate(labels)]
    paths = [save(f"{k}.png", phantom.image) for k, phantom in enumerate(phantoms)]
    table = pd.DataFrame([{"path": str(path), "sha256": sha256(path.read_bytes()).hexdigest()} for path in paths])
    pixels = np.stack([load(path, SIZE) for path in paths]).astype(np.float32)
    config = run_config.make(
        dataset="d",
        size=SIZE,
        head=kind,
        dropout=0.0,
        epochs=3,
        batch_size=5,
        schedule="constant",
        early_stopping=0,
        keep="last",
        learning_rate=1e-3,
    )
    key, model = features
    maps = extract.activations(table, key, WEIGHTS, lambda: model)
    head = heads.build(kind, maps.map_shape, 3, 0.0)
    start = head.get_weights()
    part = FeatureVectors(maps, np.arange(COUNT), labels, head.get_layer("stem"))
    callback = RecordingCallback()
    fit(head.get_layer("body"), part, part, config, callback)

    head.set_weights(start)
    whole = saved_model.assemble(model, head)
    whole.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in callback.epochs:
        order = epoch_order(COUNT, config.seed, epoch.epoch)
        history = whole.fit(pixels[order], labels[order], batch_size=5, shuffle=False, verbose=0).history
        assert epoch.loss == pytest.approx(history["loss"][0], rel=1e-3)
        assert epoch.accuracy == pytest.approx(history["accuracy"][0], abs=1e-6)
        val_loss, val_accuracy = whole.evaluate(pixels, labels, verbose=0)
        assert epoch.val_loss == pytest.approx(val_loss, rel=1e-3)
        assert epoch.val_accuracy == pytest.approx(val_accuracy, abs=1e-6)


def test_separable_classes_are_learned():
    maps, labels = make_maps()
    epochs = fit_head({"epochs": 40, "learning_rate": 0.05}, maps, labels)[1].epochs
    assert epochs[-1].val_accuracy == 1.0 and epochs[-1].loss < epochs[0].loss / 3


def test_curve_depends_on_the_config_and_its_seed_alone():
    maps, labels = make_maps()
    one, same, other = (
        [epoch.loss for epoch in fit_head({"epochs": 3, "seed": seed}, maps, labels)[1].epochs] for seed in (1, 1, 2)
    )
    assert one == same and one != other


def test_vectors_too_large_for_memory_give_the_same_losses(monkeypatch):
    """With one block an epoch or several, every row is visited in the same order where rows are read one by one."""
    monkeypatch.setattr(feature_vectors, "_RUN_BYTES", 1)
    maps, labels = make_maps(count=600)
    rows = np.arange(600)
    values = {"epochs": 2, "dropout": 0.0, "batch_size": 24}
    loaded = fit_head(values, maps, labels, rows=rows, trained=500)[1].epochs
    streamed = fit_head(values, maps, labels, rows=rows, memory=1, trained=500)[1].epochs  # blocks of 240 rows
    assert [e.loss for e in streamed] == pytest.approx([e.loss for e in loaded], rel=1e-5)
    assert [e.val_loss for e in streamed] == pytest.approx([e.val_loss for e in loaded], rel=1e-5)


def test_weights_of_the_best_epoch_are_kept_or_of_the_last():
    maps, labels = make_maps()
    noise = shuffled(labels)
    values = {"epochs": 30, "learning_rate": 0.5, "early_stopping": 0}
    head, callback, result = fit_head(values, maps, noise)
    best = min(callback.epochs, key=lambda epoch: epoch.val_loss)
    assert result.kept_epoch == best.epoch < 30
    logarithms = np.log(np.maximum(head.predict(maps.maps[30:], verbose=0), 1e-30))
    assert -logarithms[np.arange(10), noise[30:]].mean() == pytest.approx(best.val_loss, rel=1e-3)
    assert fit_head(values | {"keep": "last"}, maps, noise)[2].kept_epoch == 30


def test_early_stopping_and_plateau_match_keras():
    maps, labels = make_maps()
    values = {"epochs": 60, "learning_rate": 0.5, "early_stopping": 6, "plateau": PLATEAU}
    _, callback, result = fit_head(values, maps, shuffled(labels))
    assert len(callback.epochs) == result.kept_epoch + 6
    rates = [epoch.learning_rate for epoch in callback.epochs]
    assert rates[result.kept_epoch + 1] == 0.5 and rates[result.kept_epoch + 2] == 0.25


def test_plateau_of_the_tutorial_never_reduces():
    maps, labels = make_maps()
    values = {"epochs": 40, "learning_rate": 1e-3, "plateau": run_config.TUTORIAL["plateau"], "early_stopping": 0}
    epochs = fit_head(values, maps, shuffled(labels))[1].epochs
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([1e-3] * 40)


def test_stop_before_the_first_epoch_is_passed_on_and_later_keeps_the_best():
    maps, labels = make_maps()
    with pytest.raises(Stopped):
        fit_head({"epochs": 9}, maps, labels, RecordingCallback(check=_stop_after(0)))
    _, callback, result = fit_head({"epochs": 9}, maps, labels, RecordingCallback(check=_stop_after(5)))
    assert result.stopped and len(callback.epochs) == 5 and 1 <= result.kept_epoch <= 5


def test_nan_loss_ends_the_fit_with_advice():
    maps, labels = make_maps()
    maps.maps[0] = np.nan
    with pytest.raises(UserError, match=r"Loss became NaN or infinite in epoch 1. Lower the learning rate"):
        fit_head({"epochs": 3}, maps, labels)


def test_tutorial_head_needs_two_cells():
    with pytest.raises(UserError, match="larger input size or a shallower tap"):
        heads.build("tutorial", (1, 1, 8), 3, 0.2)


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_fit_continued_from_any_checkpoint_equals_the_whole_fit(schedule, tmp_path):
    """Weights, optimiser, random numbers of dropout and the counters of plateau and patience are all continued."""
    maps, labels = make_maps()
    noise = shuffled(labels)
    values = {"epochs": 12, "learning_rate": 0.3, "dropout": 0.5, "early_stopping": 6, "plateau": PLATEAU}
    values |= {"schedule": schedule, "head": "tutorial"}
    whole_head, whole, result = fit_head(values, maps, noise)
    for left in whole.checkpoints[:-1:3]:
        left.save(tmp_path / "left.npz")
        callback = RecordingCallback(checkpoint=checkpoint.load(tmp_path / "left.npz"))
        head, rest, again = fit_head(values, maps, noise, callback)
        expected = [(e.epoch, e.loss, e.val_loss, e.learning_rate) for e in whole.epochs[left.epoch :]]
        assert [(e.epoch, e.loss, e.val_loss, e.learning_rate) for e in rest.epochs] == expected
        assert again == result
        for found, wanted in zip(head.get_weights(), whole_head.get_weights(), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_damaged_checkpoint(tmp_path):
    maps, labels = make_maps()
    path = tmp_path / "state-head.npz"
    fit_head({"epochs": 1}, maps, labels)[1].checkpoints[-1].save(path)
    assert checkpoint.load(path).epoch == 1 and checkpoint.load(tmp_path / "none.npz") is None
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-1], b"", b"something else"):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"state-head\.npz"):
            checkpoint.load(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(DamagedFileError, match=r"state-head\.npz"):
        checkpoint.load(path)


def test_completed_fit_continues_only_for_more_epochs():
    maps, labels = make_maps()
    _, ended, result = fit_head({"epochs": 5}, maps, labels)
    left = ended.checkpoints[-1]
    _, same, again = fit_head({"epochs": 5}, maps, labels, RecordingCallback(checkpoint=left))
    assert same.epochs == [] and again == result
    _, longer, _ = fit_head({"epochs": 8}, maps, labels, RecordingCallback(checkpoint=left))
    assert [epoch.epoch for epoch in longer.epochs] == [6, 7, 8]


def test_fit_that_was_stopped_early_gets_its_patience_again():
    maps, labels = make_maps()
    noise = shuffled(labels)
    values = {"learning_rate": 0.5, "early_stopping": 4, "plateau": None}
    _, ended, result = fit_head(values | {"epochs": 60}, maps, noise)
    assert result.last_epoch < 60
    callback = RecordingCallback(checkpoint=ended.checkpoints[-1])
    assert len(fit_head(values | {"epochs": 70}, maps, noise, callback)[1].epochs) >= 4


def test_requested_learning_rate_holds_from_its_epoch_on():
    maps, labels = make_maps()
    values = {"epochs": 4, "learning_rate": 0.1}
    epochs = fit_head(values, maps, labels, RecordingCallback(rates={3: 0.02}))[1].epochs
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([0.1, 0.1, 0.02, 0.02])
    cosine = {"epochs": 20, "learning_rate": 0.1, "schedule": "cosine"}
    plain, changed = (
        [e.learning_rate for e in fit_head(cosine, maps, labels, RecordingCallback(rates=rates))[1].epochs]
        for rates in ({}, {11: 0.05})
    )
    assert changed == pytest.approx([*plain[:10], *(rate / 2 for rate in plain[10:])])


def test_epoch_visits_every_image_once_as_one_of_its_views():
    order = epoch_order(50, 0, 1, views=4)
    assert sorted(order % 50) == list(range(50))
    assert {value // 50 for value in order} == {0, 1, 2, 3}
    assert not np.array_equal(order, epoch_order(50, 0, 2, views=4))
    np.testing.assert_array_equal(epoch_order(50, 0, 1), epoch_order(50, 0, 1, views=4) % 50)


def test_views_are_trained_on_in_place_of_the_images():
    """Of three views only the second carries the class: without it, nothing could be learned."""
    maps, labels = make_maps(count=40)
    blank = np.zeros_like(maps.maps[:30])
    stacked = ArrayMaps(np.concatenate([blank, maps.maps[:30], blank, maps.maps[30:]]))
    numbers = np.concatenate([labels[:30], labels[:30], labels[:30], labels[30:]])
    config = run_config.make(dataset="d", epochs=60, learning_rate=0.05, dropout=0.0)
    head = heads.build("gap", maps.map_shape, 3, 0.0)
    train = FeatureVectors(stacked, np.arange(90), numbers, head.get_layer("stem"), views=3)
    validation = FeatureVectors(stacked, np.arange(90, 100), numbers, head.get_layer("stem"))
    callback = RecordingCallback()
    fit(head.get_layer("body"), train, validation, config, callback)
    assert len(train) == 30 and callback.epochs[-1].val_accuracy == 1.0
    assert callback.epochs[-1].accuracy < 0.9  # two of three views are blank


def test_stop_in_the_middle_of_an_epoch_does_not_train_it_twice():
    """Wherever the stop arrives, the epochs that were trained are those that are counted."""
    maps, labels = make_maps()
    values = {"epochs": 8, "learning_rate": 0.1, "early_stopping": 0}
    whole = fit_head(values, maps, labels)[1].epochs
    for calls in range(1, 8):
        _, stopped, _ = fit_head(values, maps, labels, RecordingCallback(check=_stop_after(calls)))
        _, rest, _ = fit_head(values, maps, labels, RecordingCallback(checkpoint=stopped.checkpoints[-1]))
        assert [e.loss for e in [*stopped.epochs, *rest.epochs]] == [epoch.loss for epoch in whole]
