"""The time that a run is expected to take."""

import pytest

from cxrcore.cli import options
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.jobs import estimate, expected_time
from cxrcore.runs.models import RunStatus

RATE = 43  # images per second of MobileNetV2 at 224 pixels


def _expected(**values):
    config = run_config.make(dataset="made2", backbone="mobilenetv2", weights="random", **values)
    return expected_time.before(config, dataset.load("made2"))


def test_time_counts_both_sizes_the_candidates_and_the_heatmaps(made):
    larger = 20 / RATE * (320 / 224) ** 2
    found = _expected()
    assert found.images == 20 and found.left_out == 0
    assert found.seconds == pytest.approx(10 + 20 / RATE + larger + 6 * 20 * 0.002 + 4 / RATE)
    folds = _expected(resampling={"folds": 5})
    assert folds.seconds == pytest.approx(found.seconds + 4 * 6 * 20 * 0.002)


def test_larger_size_is_left_out_where_it_exceeds_the_budget(made):
    found = _expected(budget=0)
    assert found.left_out == 320
    assert found.seconds == pytest.approx(10 + 20 / RATE + 3 * 20 * 0.002 + 4 / RATE)
    assert _expected(size=160).left_out == 0  # a size that was chosen is the only one


def test_time_of_gradient_descent_counts_all_epochs_and_those_of_fine_tuning(made):
    """Of 20 images 14.4 are trained on: 0.8 for training and validation, 0.9 of these for training."""
    epoch, other = 0.02 + 14.4e-4, 10 + 20 / RATE + 4 / RATE
    found = _expected(head="gap", epochs=30)
    assert found.seconds == pytest.approx(other + 30 * epoch)
    folds = _expected(head="gap", epochs=30, resampling={"repeats": 3})
    assert folds.seconds == pytest.approx(other + 3 * 30 * epoch)
    tuned = _expected(head="gap", epochs=30, tune={"epochs": 4})
    assert tuned.seconds == pytest.approx(other + 30 * epoch + 4 * 3 * 14.4 / RATE)


def test_command_line_chooses_the_default_backbone_and_says_why(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(tmp_path))
    (tmp_path / "vgg16_notop.weights.h5").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert options.make_config("recommended", None, "made2", {}).backbone == "vgg16"
    assert capsys.readouterr().err == "VGG16: best of those whose weights are on this machine.\n"
    assert options.make_config("tutorial", None, "made2", {}).backbone == "xception"
    capsys.readouterr()
    assert options.make_config("recommended", None, "made2", {"backbone": "cxrtiny"}).backbone == "cxrtiny"
    assert capsys.readouterr().err == ""


def test_remaining_time_counts_the_larger_size_while_features_are_computed(made, monkeypatch):
    """10 of 20 images took 2 s: 2 s for the others, and a second pass at 320 pixels."""
    run = made[2]
    config = run_config.make(dataset="made2", backbone="mobilenetv2", weights="random")
    config.write(run.folder / "config.json")
    run.status.model_copy(update={"state": "stopped"}).write(run.folder / "status.json")  # not an example to go by
    (run.folder / "metrics.json").unlink()  # a run that still computes has none
    monkeypatch.setattr(estimate.time, "time", lambda: 1002.0)
    values = {"state": "running", "stage_started": 1000.0, "total": 20, "done": 10}
    after = 4 + 4 / RATE
    larger = 4 * (320 / 224) ** 2
    features = estimate.remaining(run, RunStatus(stage="features", **values))
    assert features == pytest.approx(2 + larger + 6 * 20 * 0.002 + after)
    assert estimate.remaining(run, RunStatus(stage="larger", **values)) == pytest.approx(2 + 6 * 20 * 0.002 + after)
    assert estimate.remaining(run, RunStatus(stage="selecting", **values)) == pytest.approx(2 + after)
    assert estimate.remaining(run, RunStatus(stage="heatmaps", **values)) == pytest.approx(2 + 4)
