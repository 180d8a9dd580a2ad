"""The same model: training on kept activations equals plain Keras on the whole model."""

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest

from cxrcore.data.images import load
from cxrcore.data.phantom.series import DISEASES, Shot, take
from cxrcore.errors import Stopped, UserError
from cxrcore.features import extract
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.keras_setup import keras
from cxrcore.features.spec import FeatureSpec
from cxrcore.features.weights import Weights
from cxrcore.training import config, heads
from cxrcore.training.fit import epoch_order, fit
from cxrcore.training.source import Vectors

SIZE, COUNT = 64, 21


class _Maps:
    """Activations from an array."""

    def __init__(self, maps):
        self.maps = maps
        self.map_shape = maps.shape[1:]

    def chunks(self, numbers):
        return np.array_split(numbers, 3)

    def rows(self, numbers):
        return self.maps[np.asarray(numbers)]


def _toy(seed=0, count=40, channels=6):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    maps = rng.normal(size=(count, 4, 4, channels)).astype(np.float32)
    maps[np.arange(count), :, :, labels] += 2
    return _Maps(maps), labels


def _fit(values, maps, labels, rows=None, memory=2**30, **hooks):
    made = config.make(dataset="d", **values)
    keras.utils.set_random_seed(made.seed)
    head = heads.build(made.head, maps.map_shape, 3, made.dropout)
    train, validation = np.split(rows if rows is not None else np.arange(len(labels)), [30])
    parts = [
        Vectors(maps, part, labels, head.get_layer("stem"), made.batch_size, memory) for part in (train, validation)
    ]
    epochs = []
    outcome = fit(head.get_layer("body"), *parts, made, on_epoch=epochs.append, **hooks)
    return head, epochs, outcome


@pytest.mark.parametrize("kind", ["tutorial", "gap"])
def test_three_epochs_equal_plain_keras_on_the_whole_model(kind, save, home):
    labels = np.arange(COUNT) % 3
    shots = [take(Shot(DISEASES[label], k, 0), seed=0) for k, label in enumerate(labels)]
    paths = [save(f"{k}.png", phantom.image) for k, phantom in enumerate(shots)]
    table = pd.DataFrame([{"path": str(path), "sha256": sha256(path.read_bytes()).hexdigest()} for path in paths])
    pixels = np.stack([load(path, SIZE) for path in paths])
    made = config.make(
        dataset="d", size=SIZE, head=kind, dropout=0.0, epochs=3, batch_size=5, plateau=None, early_stopping=0,
        keep="last", learning_rate=1e-3,
    )  # fmt: skip
    spec = FeatureSpec("cxrtiny", "bundled", SIZE, "minus_one_to_one", made.tap)
    features = spec.build(Weights(BUNDLED_WEIGHTS, "bundled"))
    maps = extract.activations(table, spec, lambda: features)
    head = heads.build(kind, maps.map_shape, 3, 0.0)
    start = head.get_weights()
    part = Vectors(maps, np.arange(COUNT), labels, head.get_layer("stem"))
    ours = []
    fit(head.get_layer("body"), part, part, made, on_epoch=ours.append)

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
    maps, labels = _toy()
    _, epochs, _ = _fit({"epochs": 40, "learning_rate": 0.05}, maps, labels)
    assert epochs[-1].val_accuracy == 1.0 and epochs[-1].loss < epochs[0].loss / 3


def test_the_same_config_gives_the_same_curve_and_another_seed_another():
    maps, labels = _toy()
    one, same, other = (_fit({"epochs": 3, "seed": seed}, maps, labels)[1] for seed in (1, 1, 2))
    assert [e.loss for e in one] == [e.loss for e in same]
    assert [e.loss for e in one] != [e.loss for e in other]


def test_blocks_too_large_for_memory_are_read_each_epoch_and_give_the_same_losses():
    """With one block a epoch or several, every row is visited in the same order."""
    maps, labels = _toy(count=600)
    rows = np.arange(600)
    values = {"epochs": 2, "dropout": 0.0, "batch_size": 24}
    placed = _fit(values, maps, labels, rows)[1]
    streamed = _fit(values, maps, labels, rows, memory=1)[1]  # 240 rows a block, a multiple of the batch
    assert [e.loss for e in streamed] == pytest.approx([e.loss for e in placed], rel=1e-5)
    assert [e.val_loss for e in streamed] == pytest.approx([e.val_loss for e in placed], rel=1e-5)


def test_the_best_epoch_is_kept_and_the_last_if_so_configured():
    maps, labels = _toy()
    noise = np.random.default_rng(1).permutation(labels)  # nothing to learn: validation gets worse
    values = {"epochs": 30, "learning_rate": 0.5, "early_stopping": 0}
    head, epochs, outcome = _fit(values, maps, noise)
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    assert outcome.kept_epoch == best.epoch < 30
    logits = np.log(np.maximum(head.predict(maps.maps[30:], verbose=0), 1e-30))
    assert -logits[np.arange(10), noise[30:]].mean() == pytest.approx(best.val_loss, rel=1e-3)
    assert _fit(values | {"keep": "last"}, maps, noise)[2].kept_epoch == 30


def test_early_stopping_and_plateau_act_as_kerass():
    maps, labels = _toy()
    noise = np.random.default_rng(1).permutation(labels)
    plateau = {"factor": 0.5, "patience": 2, "cooldown": 0, "minimum": 1e-4}
    _, epochs, outcome = _fit(
        {"epochs": 60, "learning_rate": 0.5, "early_stopping": 6, "plateau": plateau}, maps, noise
    )
    assert len(epochs) == outcome.kept_epoch + 6
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates[outcome.kept_epoch + 1] == 0.5 and rates[outcome.kept_epoch + 2] == 0.25


def test_the_tutorials_plateau_never_acts():
    maps, labels = _toy()
    noise = np.random.default_rng(1).permutation(labels)
    theirs = config.TUTORIAL["plateau"]
    _, epochs, _ = _fit({"epochs": 40, "learning_rate": 1e-3, "plateau": theirs, "early_stopping": 0}, maps, noise)
    assert [epoch.learning_rate for epoch in epochs] == pytest.approx([1e-3] * 40)


def test_a_stop_before_the_first_epoch_is_passed_on_and_later_keeps_the_best():
    maps, labels = _toy()

    def stop_after(calls):
        count = iter(range(calls))

        def check():
            if next(count, None) is None:
                raise Stopped

        return check

    with pytest.raises(Stopped):
        _fit({"epochs": 9}, maps, labels, check=stop_after(0))
    _, epochs, outcome = _fit({"epochs": 9}, maps, labels, check=stop_after(5))
    assert outcome.stopped and len(epochs) == 2 and outcome.kept_epoch in (1, 2)


def test_a_loss_that_is_no_number_ends_the_run_with_advice():
    maps, labels = _toy()
    maps.maps[0] = np.nan
    with pytest.raises(UserError, match=r"no number any more in epoch 1. Lower the learning rate"):
        _fit({"epochs": 3}, maps, labels)


def test_the_tutorial_head_needs_two_cells():
    with pytest.raises(UserError, match="larger input size or a shallower tap"):
        heads.build("tutorial", (1, 1, 8), 3, 0.2)
