"""Fine-tuning behind a cut of the backbone, and augmented views."""

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.features import graph
from cxrcore.features.backbones import BACKBONES
from cxrcore.features.keras_setup import keras
from cxrcore.training import pipeline

FAST = {"dataset": "phantom", "size": 64, "epochs": 5, "early_stopping": 0, "keep": "last"}


def _run(**values):
    made = run_config.make(**(FAST | values))
    return pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)


@pytest.mark.parametrize("key", ["cxrtiny", "mobilenetv2", "xception", "densenet121"])
def test_a_backbone_cut_at_any_tap_is_the_same_backbone(key):
    """Xception's taps lie beside shortcuts, so its cut is the layer's input."""
    backbone = BACKBONES[key]
    whole = backbone.build(backbone.sizes[0])
    pixels = np.random.default_rng(0).normal(size=(1, *whole.input_shape[1:])).astype(np.float32)
    for tap in backbone.taps[:-1:2]:
        lower = keras.Model(whole.input, graph.cut_tensor(whole, tap))
        found = graph.backbone_tail(whole, tap)(lower(pixels, training=False), training=False)
        np.testing.assert_allclose(found, whole(pixels, training=False), atol=1e-5)


def test_a_layer_that_a_shortcut_leads_round_is_no_place_to_cut():
    x = keras.Input((4, 4, 2))
    first = keras.layers.Conv2D(2, 1, name="inside")(x)
    second = keras.layers.Conv2D(2, 1, name="deeper")(first)
    model = keras.Model(x, keras.layers.Add()([x, second]))
    with pytest.raises(ValueError, match="deeper"):
        graph.cut_tensor(model, "deeper")
    assert graph.cut_tensor(model, "inside") is model.input


def test_tuning_lowers_the_loss_of_the_frozen_head_and_is_saved_whole(phantom):
    frozen = _run(dropout=0.0)
    run = _run(dropout=0.0, tune={"epochs": 8, "learning_rate": 3e-3})
    assert [epoch["phase"] for epoch in run.epochs] == ["head"] * 5 + ["tuning"] * 8
    assert [epoch["epoch"] for epoch in run.epochs] == list(range(1, 14))
    assert run.epochs[4]["loss"] == pytest.approx(frozen.epochs[4]["loss"], rel=1e-4), "the same head first"
    assert run.epochs[-1]["loss"] < 0.9 * run.epochs[4]["loss"]
    from cxrcore.inference import predict

    again, _ = predict.evaluate(run)
    stored = run.predictions("test")
    for name in ("p_COVID", "p_NORMAL"):
        assert np.abs(again[name].to_numpy() - stored[name].to_numpy()).max() < 1e-4
    learned, first = (
        keras.models.load_model(each.model_file).get_layer("features").get_layer("backbone") for each in (run, frozen)
    )
    cut = [layer.name for layer in first.layers].index("block4c_out")
    for position, (mine, theirs) in enumerate(zip(learned.layers, first.layers, strict=True)):
        same = all(np.array_equal(a, b) for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True))
        assert same or position > cut, mine.name
        if isinstance(mine, keras.layers.BatchNormalization):
            np.testing.assert_array_equal(mine.moving_mean, theirs.moving_mean)
    assert any(not np.array_equal(a, b) for a, b in zip(learned.get_weights(), first.get_weights(), strict=True))


def test_an_audit_of_a_tuned_run_asks_the_backbone_as_it_came(phantom):
    """The tuned one has seen the classes of the images it learned from: nothing could be held out from it."""
    from cxrcore.audits import masked_probe

    frozen, tuned = _run(), _run(tune={"epochs": 3, "learning_rate": 1e-2})
    one, other = (masked_probe.features(run, tuned.table.iloc[:10], "", lambda *_: None) for run in (frozen, tuned))
    np.testing.assert_array_equal(one, other)


def test_the_frozen_backbone_of_the_next_run_is_untouched(phantom):
    before = _run()
    _run(tune={"epochs": 2, "learning_rate": 1e-2})
    assert [epoch["loss"] for epoch in _run().epochs] == [epoch["loss"] for epoch in before.epochs]


def test_each_round_is_tuned_from_the_first_weights(phantom):
    """Two rounds on the same split say the same, which they would not if the second began where the first ended."""
    from cxrcore.training import resampling

    made = run_config.make(
        **(FAST | {"tune": {"epochs": 3, "learning_rate": 1e-2}, "design": {"kind": "repeated", "rounds": 2}})
    )
    first = resampling.splits(made, phantom.usable)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "splits", lambda config, table: [first, first])
        run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    import pandas as pd

    table = pd.read_parquet(run.folder / "rounds.parquet")
    one, two = (table[table["round"] == k].reset_index(drop=True) for k in (1, 2))
    np.testing.assert_allclose(one["p_COVID"], two["p_COVID"], atol=1e-5)


def test_a_tuned_run_goes_on_where_it_was_left(phantom):
    values = {"tune": {"epochs": 6, "learning_rate": 1e-3}}
    whole = _run(**values)
    made = run_config.make(**(FAST | values))
    run = runs.create(made.model_dump(mode="json"))

    def listen(stage, done, total):
        if stage == "training" and done == 8:
            (run.folder / "stop").touch()

    pipeline.run(made, run.folder, listen)
    assert len(run.epochs) == 8
    (run.folder / "stop").unlink()
    pipeline.run(made, run.folder)
    assert [e["epoch"] for e in run.epochs] == list(range(1, 12))
    np.testing.assert_allclose([e["loss"] for e in run.epochs], [e["loss"] for e in whole.epochs], rtol=1e-4)


def test_where_tuning_may_begin():
    made = run_config.make(dataset="d", tune={})
    assert made.tune.after == "block4c_out"
    assert run_config.make(dataset="d", backbone="vgg16", tune={}).tune.after == "block4_pool", (
        "a pooling layer learns not"
    )
    with pytest.raises(UserError, match=r"tune.after: expected a tap of cxrtiny before block3a_out"):
        run_config.make(dataset="d", tap="block3a_out", tune={})
    with pytest.raises(UserError, match="Received: 'block5_out'"):
        run_config.make(dataset="d", tune={"after": "block5_out"})


def test_views_are_kept_and_learned_from(phantom, home):
    run = _run(augment={"views": 2})
    kept = sorted(path.name for path in (home / "features").iterdir())
    assert len(kept) == 3
    times = [path.stat().st_mtime_ns for path in (home / "features").rglob("*.npy")]
    other = _run(augment={"views": 2}, learning_rate=1e-3)
    assert [path.stat().st_mtime_ns for path in (home / "features").rglob("*.npy")] == times, "nothing is made twice"
    assert other.epochs[0]["loss"] != run.epochs[0]["loss"]
    assert run.metrics["n_test"] == 12 and len(run.predictions("validation")) == len(
        run.table.query("split == 'validation'")
    )
    plain = _run()
    assert plain.epochs[-1]["loss"] != run.epochs[-1]["loss"]
