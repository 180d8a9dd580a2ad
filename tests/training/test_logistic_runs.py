"""Whole runs with the logistic head: what is chosen, kept, explained and repeated."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.config.command import command
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.evaluation import saved_model as external
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.explain import faithfulness
from cxrcore.explain.explainer import Explainer
from cxrcore.explain.gradients import HeadGradients, ModelGradients, heatmaps
from cxrcore.explain.layers import FUSED, choices
from cxrcore.features import backbones
from cxrcore.inference import saved_model
from cxrcore.inference.classifier import Classifier
from cxrcore.jobs import control, run_process
from cxrcore.progress import ignore_stages
from cxrcore.reports import tflite
from cxrcore.reports.run_summary import RunSummary
from cxrcore.sweeps import leaderboard, plan, search, sweep
from cxrcore.training import kept_vectors, pipeline, pooled_data, selection
from cxrcore.training.run_recorder import STOP_FILE

JOINED = "block3b_out+block4c_out+block5_out"


def _create(**values):
    return runs.create(run_config.make(**({"dataset": "phantom", "size": 64} | values)))


def _run(progress=None, **values):
    created = _create(**values)
    return pipeline.run(created.config, created.folder, progress)


def _probabilities(run, part="test"):
    return run.predictions(part)[probability_columns(run.classes)].to_numpy()


@pytest.fixture
def two_sizes(monkeypatch):
    """A second size of 80 pixels beside CXRTiny's, which is 64 here, and four taps."""
    tiny = backbones.get("cxrtiny")
    monkeypatch.setitem(backbones.BACKBONES, "cxrtiny", dataclasses.replace(tiny, size=64, taps=tiny.taps[-4:]))
    monkeypatch.setattr(pooled_data, "LARGER", 80)
    monkeypatch.setattr(pooled_data, "is_larger_tried", lambda config: config.size == 0)


@pytest.fixture
def few_strengths(monkeypatch):
    monkeypatch.setattr(selection, "STRENGTHS", (0.1, 0.01))
    monkeypatch.setattr(selection, "FOLDS", 2)


def test_run_chooses_among_taps_and_sizes_and_is_repeated_exactly(phantom, two_sizes, few_strengths):
    first, again = [], []
    one = _run(lambda *report: first.append(report), size=0)
    found = one.selection
    assert [trial.size for trial in found.trials] == [64] * 2 + [80] * 2, "three neighbours of four taps"
    best = min(found.trials, key=lambda trial: trial.loss)
    assert (found.size, found.tap, found.l2, found.left_out) == (best.size, best.tap, best.l2, 0)
    assert one.requested.tap == "auto" and one.requested.size == 0
    assert (one.config.tap, one.config.size) == (found.tap, found.size)
    held_out = one.predictions("validation")
    assert len(held_out) == one.results.n_validation == found.images == 48 and one.results.n_test == 12
    assert not set(held_out["sha256"]) & set(one.predictions("test")["sha256"])
    right = (held_out["label"] == held_out["predicted"]).mean()
    assert best.accuracy.value == pytest.approx(right) and best.accuracy.n == 48
    assert [epoch.epoch for epoch in one.epochs] == list(range(1, len(one.epochs) + 1))
    assert {epoch.learning_rate for epoch in one.epochs} == {0}
    assert "--tap" not in command(one.requested) and "--size" not in command(one.requested)

    two = pipeline.run(one.requested, runs.create(one.requested).folder, lambda *report: again.append(report))
    assert ("features", 60, 60) in first and ("heatmaps", 12, 12) in first
    assert [report for report in again if report[0] in ("features", "heatmaps")] == [
        ("features", 0, 60),
        ("heatmaps", 0, 12),
    ], "nothing is computed twice"
    np.testing.assert_array_equal(_probabilities(one), _probabilities(two))


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "kept already"])
def test_larger_size_is_left_out_without_time(phantom, two_sizes, few_strengths, monkeypatch, measured):
    """60 images at 60 / 65 a second take 65 s, and 65 (80 / 64)^2 = 101.6 s at 80 pixels."""
    rate = 60 / 65
    monkeypatch.setattr(pooled_data.PooledData, "_add", _at_rate(pooled_data.PooledData._add, rate if measured else 0))
    tiny = dataclasses.replace(backbones.get("cxrtiny"), rate=rate)
    monkeypatch.setitem(backbones.BACKBONES, "cxrtiny", tiny)
    found = _run(size=0, budget=101).selection
    assert found.left_out == 80 and {trial.size for trial in found.trials} == {64}
    assert _run(size=0, budget=0).selection.left_out == 80


def _at_rate(add, rate):
    def measured(self, size):
        add(self, size)
        return rate

    return measured


@pytest.mark.nightly
def test_joined_taps_are_explained_saved_and_exported(phantom, monkeypatch):
    run = _run(tap=JOINED, l2=0.01)
    assert run.model_file.name == "head.keras" and run.config.taps == JOINED.split("+")
    _, evaluated = external.evaluate(run)
    assert evaluated.accuracy == run.results.test.accuracy
    classifier, tested = Classifier(run), run.predictions("test")
    pixels = np.concatenate([*_pixels(tested)])
    assert np.abs(classifier.probabilities(pixels) - _probabilities(run)).max() < 1e-4
    tflite.convert(run)  # compares the probabilities itself

    # Heatmaps: kept ones, those of the assembled model, and of each layer.
    model, kept = saved_model.load(run), run.heatmaps()
    maps = np.asarray(model.get_layer("features")(pixels.astype(np.float32)))
    found = heatmaps(HeadGradients(model.get_layer("head")), maps)
    assert kept.max() > 0 and found == pytest.approx(kept, abs=1e-4 * float(kept.max()))
    explainer = Explainer(classifier, run.config)
    layers = choices(run.config)
    assert layers[:2] == [JOINED, "block5_out"] and layers[-1] == FUSED and "block3a_out" in layers
    path = Path(tested["path"][0])
    shapes = {layer: explainer.explain(path, layer).heatmaps.shape for layer in layers}
    assert shapes[JOINED] == kept[0].shape == shapes["block5_out"] == (3, 8, 8)
    assert shapes["block3a_out"] == shapes[FUSED] == (3, 16, 16)
    explained = explainer.explain(path, JOINED)
    assert explained.heatmaps == pytest.approx(kept[0], abs=1e-4 * float(kept.max()))
    assert explained.probabilities == pytest.approx(_probabilities(run)[0], abs=1e-4)
    assert 0 < explained.ood_score < 10

    # The deepest tap x is not resized: dy/dx = dy/dv + 2 x dy/ds for the values v = x and the squares s = x^2.
    deepest, gradients = ModelGradients(model, "block5_out")(pixels[:2])
    _, joined = HeadGradients(model.get_layer("head"))(maps[:2])
    channels, half = deepest.shape[-1], maps.shape[-1] // 2
    values, squares = joined[..., half - channels : half], joined[..., -channels:]
    assert explained.vector == pytest.approx(deepest[0].mean(axis=(0, 1)), abs=1e-4)
    expected = values + 2 * deepest[:, None] * squares
    assert gradients == pytest.approx(expected, abs=1e-4 * float(np.abs(expected).max()))

    for name, most in (("POINTED", 6), ("PERTURBED", (2, 2)), ("SHUFFLED", 2)):
        monkeypatch.setattr(faithfulness, name, most)
    checks = faithfulness.measure(run, ["grad-cam"]).methods["grad-cam"]
    assert [stage for stage, _ in checks.stages] == ["head", *layers[1:-1]]
    assert checks.stages[-1][1] < 0.9


def _pixels(table):
    from cxrcore.features import extract

    return extract.batches([Path(path) for path in table["path"]], 64)


def test_every_fold_chooses_for_itself_and_missing_folds_are_continued(phantom, few_strengths, monkeypatch):
    chosen, select = [], selection.select

    def recorded(candidates, vectors, examples, *rest):
        chosen.append(set(examples.rows.tolist()))
        return select(candidates, vectors, examples, *rest)

    monkeypatch.setattr(selection, "select", recorded)
    created = _create(resampling={"folds": 3})

    def stop(stage, done, total):
        if (stage, done) == ("resampling", 2):
            (created.folder / STOP_FILE).touch()

    run = pipeline.run(created.config, created.folder, stop)
    assert run.status.state == "stopped" and len(run.resampling.done) == 2
    before = _probabilities(run)
    pipeline.run(control.prepare_to_continue(run, 50), run.folder)
    assert run.status.state == "finished" and len(run.resampling.done) == 3
    assert [epoch.epoch for epoch in run.epochs] == list(range(1, len(run.epochs) + 1)), "none twice"
    np.testing.assert_array_equal(_probabilities(run), before)
    exported = yaml.safe_load(RunSummary(run).yaml)
    assert run.config.tap != "auto" and exported["tap"] == "auto", "each fold is to choose again"
    with pytest.raises(UserError, match="has reached the optimum"):
        control.prepare_to_continue(run)
    # Folds 1 and 2, then 1 again (it is solved anew) and the missing one.
    assert chosen[0] == chosen[-2] and len(chosen) in (4, 5)
    everything = set(range(60))
    tested = [everything - rows for rows in (chosen[0], chosen[1], chosen[-1])]
    assert set.union(*tested) == everything and sum(map(len, tested)) == 60


def test_a_run_that_failed_while_its_model_was_saved_is_continued(phantom):
    created = _create()
    run = pipeline.run(created.config, created.folder)
    before = _probabilities(run)
    (run.folder / "head.keras").unlink()
    run_process.write_status(run, run.status, state="failed")
    pipeline.run(control.prepare_to_continue(run), run.folder)
    assert run.status.state == "finished" and (run.folder / "head.keras").is_file()
    np.testing.assert_array_equal(_probabilities(run), before)


def test_stopped_while_it_chooses_and_continued(phantom, few_strengths):
    created = _create()

    def stop(stage, done, total):
        if (stage, done) == ("selecting", 1):
            (created.folder / STOP_FILE).touch()

    run = pipeline.run(created.config, created.folder, stop)
    assert run.status.state == "stopped" and run.metrics is None and run.selection is None and run.epochs == []
    assert run.config.tap == "auto"
    pipeline.run(control.prepare_to_continue(run), run.folder)
    assert run.status.state == "finished" and run.results.n_test == 12


def test_run_whose_vectors_lie_in_a_file_chooses_and_predicts_the_same(phantom, few_strengths, monkeypatch):
    in_memory = _run()
    files, make = [], kept_vectors.TemporaryFile
    monkeypatch.setattr(kept_vectors, "TemporaryFile", lambda dir: files.append(make(dir=dir)) or files[-1])
    monkeypatch.setattr(kept_vectors, "_BLOCK_VALUES", 3_000)
    monkeypatch.setattr(selection.fit, "__defaults__", (0,))
    streamed = _run()
    assert len(files) == 1 and streamed.selection.trials == in_memory.selection.trials
    assert (streamed.config.tap, streamed.config.l2) == (in_memory.config.tap, in_memory.config.l2)
    np.testing.assert_allclose(_probabilities(streamed), _probabilities(in_memory), atol=1e-6)


def test_smoothing_class_weights_and_copies_reach_the_solver(home, monkeypatch):
    from cxrcore.data.phantom import dataset as phantoms

    phantoms.create("phantom", patients=4, images=1, seed=5)
    given = []
    select = selection.select

    def recorded(candidates, vectors, examples, *rest):
        given.append((examples, vectors(candidates[0], np.arange(24))))
        return select(candidates, vectors, examples, *rest)

    monkeypatch.setattr(selection, "select", recorded)
    run = _run(tap="block5_out", l2=0.1, label_smoothing=0.3, class_weights=True, augment={"views": 2})
    ((examples, vectors),) = given
    trained = np.flatnonzero(run.table["split"] == dataset.TRAIN)
    assert examples.rows.tolist() == trained.tolist()
    assert np.unique(examples.targets).tolist() == pytest.approx([0.1, 0.8])
    counts = np.bincount(examples.labels)
    np.testing.assert_allclose(examples.weights, (len(trained) / (3 * counts))[examples.labels], rtol=1e-6)
    count, kept = len(run.table), len(trained)
    assert examples.copies.tolist() == [[count + k, count + kept + k] for k in range(kept)]
    # A copy resembles its own image more than the others on average, and is not the same.
    copy, image = vectors[count], vectors[trained[0]]
    distances = np.linalg.norm(vectors[trained] - copy, axis=1)
    assert 0 < np.linalg.norm(copy - image) < np.median(distances[1:])


def test_sweep_over_taps_and_strengths_ranks_by_out_of_fold_loss(phantom):
    base = run_config.make(dataset="phantom", size=64).plain()
    settings = {"tap": {"choices": ("block4a_out", "block5_out")}, "l2": {"low": 1e-3, "high": 1e-1, "log": True}}
    made = sweep.create("strengths", plan.make({"base": base, "settings": settings, "trials": 3}))
    search.search(made, ignore_stages)
    table = leaderboard.table(made)
    assert set(table["state"]) == {"finished"} and list(table["val_loss"]) == sorted(table["val_loss"])
    for number in table["number"]:
        (trial,) = made.trial(number).selection.trials
        assert table.set_index("number")["val_loss"][number] == pytest.approx(trial.loss)
        assert table.set_index("number")["val_accuracy"][number] == pytest.approx(trial.accuracy.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tap": "block5_out+block4a_out"}, "tap of cxrtiny: expected"),
        ({"tap": "block4a_out+block5_out", "head": "gap"}, "joined layers need the head 'logistic'"),
        ({"head": "logistic", "tune": {}}, "expected a head that is trained by gradient descent"),
    ],
)
def test_configs_that_make_no_sense(values, message):
    with pytest.raises(UserError, match=message):
        run_config.make(dataset="d", **values)


def test_tap_and_size_of_each_head():
    assert (run_config.make(dataset="d").tap, run_config.make(dataset="d").size) == ("auto", 0)
    for head in ("gap", "tutorial"):
        made = run_config.make(dataset="d", head=head, tap="auto")
        assert (made.tap, made.size) == ("block5_out", backbones.get("cxrtiny").size)
    assert run_config.make(dataset="d", tune={}).head == "probe"
