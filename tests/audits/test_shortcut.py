"""The shortcut audit and the mitigations: on runs, by hand, and as version 1 kept them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.audits import corner_occlusion, mitigations, sample, shortcut
from cxrcore.audits.masked_probe import MaskedFeatures
from cxrcore.config import run_config
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import DamagedFileError
from cxrcore.evaluation import intervals
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.metric import Metric
from cxrcore.runs import Run
from cxrcore.training import pipeline


def _trained_on_phantoms(planted=None, **settings):
    phantoms.create("phantom", patients=20, images=2, seed=1, planted_class=planted)
    config = run_config.make(dataset="phantom", epochs=2, **settings)
    return pipeline.run(config, runs.create(config).folder)


@pytest.mark.parametrize("planted", [None, pytest.param("COVID", marks=pytest.mark.nightly)])
def test_planted_marker_is_a_shortcut_and_nothing_without_it(home, planted):
    run = _trained_on_phantoms(planted)
    found = shortcut.audit(run)
    assert found.is_shortcut == bool(planted), found
    assert list(found.border) == list(found.border_pixels) == [5, 11, 16] and found.source is None
    assert found.chance == pytest.approx(1 / 3) and found.full.value > 0.8
    assert shortcut.load(run) == found
    assert str(found.lungs.origin) == "mask files, of 120 of 120 images" and found.lungs.whole.n == 120
    assert found.lungs.only.value > 0.6  # the disease is in the lungs
    assert found.lungs.without.value < found.lungs.only.value - 0.2
    assert ("is outside the lungs" in str(found.sentence)) == found.is_shortcut


@pytest.mark.nightly
def test_no_shortcut_in_a_run_with_cropped_images(home):
    """The border of a cropped image is lung: the border that counts is masked before the transform."""
    found = shortcut.audit(_trained_on_phantoms(image_transform="crop"))
    assert not found.is_shortcut, found.sentence
    assert found.lungs.without.value < found.lungs.only.value


def test_mitigations_remove_the_planted_marker(home):
    # With random weights, a shallow layer responds to the marker, which CXRTiny's own weights overlook.
    run = _trained_on_phantoms("COVID", head="gap", weights="random", tap="block3b_out")
    found = mitigations.compare(run)
    results = found.transforms
    assert next(iter(results)) == "" and found.n == found.of == 120
    assert results[""].border.value - results["markers"].border.value > 0.1
    pixels = {name: result.border_pixels.value for name, result in results.items()}
    assert pixels[""] - pixels["markers"] > 0.1 and pixels[""] - pixels["only-lungs"] > 0.1
    best = {name: result.best_border.value for name, result in results.items()}
    assert all(best[name] >= max(results[name].border.value, pixels[name]) for name in results)
    assert best[found.best] == min(value for name, value in best.items() if name)
    assert mitigations.load(run) == found


def test_probe_of_a_run_with_weights_from_a_file(phantom, tmp_path):
    """The same weights from a file: the same features."""
    file = shutil.copy(BUNDLED_WEIGHTS, tmp_path / "backbone.weights.h5")
    made = [
        run_config.make(dataset="phantom", size=64, tap="block5_out"),
        run_config.make(dataset="phantom", size=64, tap="block5_out", weights="file", weights_file=Path(file)),
    ]
    rows = phantom.usable.iloc[:3]
    bundled, from_file = (MaskedFeatures(runs.create(config)).extract(rows, "border:5", "features") for config in made)
    assert from_file.shape[0] == 3 and (from_file == bundled).all()


@pytest.mark.parametrize(("informative", "looks"), [(True, 1), (False, 2)])
def test_second_look_at_the_widest_border_only_if_the_first_is_not_clear(trained, monkeypatch, informative, looks):
    calls = []

    class Features:
        def __init__(self, run, progress):
            pass

        def extract(self, rows, transform, stage, files=False):
            calls.append((transform, len(rows)))
            labels = rows["label"].to_numpy() == trained.classes[0], rows["label"].to_numpy() == trained.classes[1]
            return np.stack(labels, axis=1).astype(np.float32) * informative

    monkeypatch.setattr(shortcut, "MaskedFeatures", Features)
    monkeypatch.setattr(shortcut, "_corners", lambda *_: None)
    monkeypatch.setattr(sample, "size", lambda *_: 24)
    found = shortcut.audit(trained)
    assert found.is_shortcut == informative
    sizes = [24, 48][:looks]
    assert [call for call in calls if call[0] == "border:8"] == [("border:8", size) for size in sizes]
    assert {size for transform, size in calls if transform in ("border:3", "border:5", "")} == {24}
    assert (found.sampling.n, found.sampling.of) == (sizes[-1], 60)
    assert (found.sampling.looks, found.sampling.planned_looks) == (looks, 2)
    assert found.sampling.stopped_early == informative
    if informative:  # all images of 12 patients are correct: Wilson's interval at 1 - 0.05 / 2
        assert found.border[8].low == pytest.approx(intervals.wilson(12, 12, 0.975)[0])


def test_border_is_decided_when_its_interval_is_above_or_below_the_margin():
    for low, high, decided in ((0.46, 0.6, True), (0.44, 0.6, False), (0.3, 0.44, True), (0.3, 0.46, False)):
        assert shortcut._is_decided(Metric(0.45, low, high, 90), 0.4) == decided
    assert not shortcut._is_decided(Metric(0.45, n=90), 0.4)


def _verdict(low, value=0.5):
    found, nothing = Metric(value, low, 0.56, 90), Metric(0.4, 0.35, 0.45, 90)
    backbone, pixels = "a linear classifier on this backbone", "a linear classifier on the pixels"
    return shortcut._verdict([(found, 10, 0.4, backbone), (nothing, 10, 0.4, pixels)])


def test_verdict_needs_an_interval_above_chance_plus_the_margin():
    is_shortcut, sentence = _verdict(low=0.44)
    assert not is_shortcut and "which is not clearly better than chance" in str(sentence)
    is_shortcut, sentence = _verdict(low=0.46)
    assert is_shortcut and str(sentence).startswith(
        "With only a border of 10 pixels visible, a linear classifier on this backbone predicts the class with 50.0% "
        "accuracy (95% interval 46.0% to 56.0%; chance 40%)"
    )


def test_verdict_without_an_interval():
    is_shortcut, sentence = _verdict(low=None)
    assert not is_shortcut and "50.0% accuracy (chance 40%)" in str(sentence)


def test_occluded_corner_is_black():
    pixels = np.full((1, 10, 10, 3), 9, np.uint8)
    for corner, cells in (
        ((0, 0), np.s_[:2, :2]),
        ((0, 1), np.s_[:2, 8:]),
        ((1, 0), np.s_[8:, :2]),
        ((1, 1), np.s_[8:, 8:]),
    ):
        occluded = corner_occlusion.occlude(pixels, corner)[0, ..., 0]
        assert not occluded[cells].any() and (occluded == 9).sum() == 96


def test_corner_that_a_model_depends_on(trained, monkeypatch):
    """A model that predicts class 1 unless the bottom left is black."""

    class CornerClassifier:
        size = 64

        def __init__(self, run):
            pass

        def transform(self, pixels):
            return pixels

        def probabilities(self, pixels):
            return np.eye(3)[pixels[:, -12:, :12].any(axis=(1, 2, 3)).astype(int)]

    monkeypatch.setattr("cxrcore.inference.classifier.Classifier", CornerClassifier)
    tests, calls = trained.table[trained.table["split"] == "test"].copy(), []
    tests["label"] = trained.classes[1]
    found = corner_occlusion.audit(trained, tests, lambda *call: calls.append(call))
    results = {name: (result.accuracy.value, result.changed) for name, result in found.items()}
    assert results == {"top left": (1, 0), "top right": (1, 0), "bottom left": (0, 12), "bottom right": (1, 0)}
    assert found["bottom left"].accuracy == intervals.proportion(0, 12) and calls[-1] == ("corners", 12, 12)


def test_energy_in_the_frame_and_outside_the_lungs(trained):
    """One map has its peak at the edge, the others in the centre, between the lungs."""
    maps = np.zeros(trained.heatmaps().shape, np.float32)
    maps[:, :, 3:5, 3:5] = 1
    maps[0] = 0
    maps[0, :, 0, 0] = 1
    np.save(trained.folder / "heatmaps.npy", maps)
    lungs = np.ones((80, 80), bool)
    lungs[:, 20:60] = False
    found = shortcut._energy(trained, [lungs] * 12)
    assert found.frame.value == pytest.approx(1 / 12, abs=0.01) and found.frame.n == 12
    assert found.outside.value == pytest.approx(11 / 12, abs=0.01)
    assert shortcut._energy(trained, [None] * 12).outside is None


_PROBE = '{"accuracy": 0.5, "ci95": [0.3, 0.7], "n": 18}'


def test_audit_of_version_1_is_read(tmp_path):
    (tmp_path / "shortcut.json").write_text(
        f'{{"chance": 0.4, "full": {_PROBE}, "border": {{"3": {_PROBE}}}, "border_pixels": {{"3": {_PROBE}}}, '
        f'"source": null, "lungs": {{"from": "mask files", "chance": 0.4, "whole": {_PROBE}, "only": {_PROBE}, '
        f'"without": {_PROBE}}}, "corners": {{"top left": {{"accuracy": 0.5, "ci95": [0.3, 0.7], "n": 18, '
        '"changed": 2}}, "energy": {"frame": {"value": 0.2, "ci95": [0.1, 0.3], "n": 3}, "outside": null}, '
        '"verdict": "shortcut", "sentence": "The border tells."}'
    )
    found, probe = shortcut.load(Run(tmp_path)), Metric(0.5, 0.3, 0.7, 18)
    assert found.is_shortcut and str(found.sentence) == "The border tells." and str(found.lungs.origin) == "mask files"
    assert found.full == found.border[3] == found.lungs.only == found.corners["top left"].accuracy == probe
    assert found.corners["top left"].changed == 2 and found.energy.frame == Metric(0.2, 0.1, 0.3, 3)


def test_mitigations_of_version_1_are_read(tmp_path):
    result = f'{{"full": {_PROBE}, "border": {_PROBE}, "border_pixels": {_PROBE}, "source": null}}'
    (tmp_path / "remedies.json").write_text(
        f'{{"n": 18, "of": 20, "width": 8, "cleanings": {{"": {result}, "crop": {result}}}, "best": "crop"}}'
    )
    found = mitigations.load(Run(tmp_path))
    assert list(found.transforms) == ["", "crop"] and found.transforms["crop"].best_border.low == 0.3


@pytest.mark.parametrize("content", ['{"chance": 0.4', "[]", '{"chance": "much"}'])
def test_damaged_audits_raise(tmp_path, content):
    assert shortcut.load(Run(tmp_path)) is None and mitigations.load(Run(tmp_path)) is None
    for file, load in (("shortcut.json", shortcut.load), ("mitigations.json", mitigations.load)):
        (tmp_path / file).write_text(content)
        with pytest.raises(DamagedFileError):
            load(Run(tmp_path))
