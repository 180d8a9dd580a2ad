"""A whole run: its folder, its saved model, and how it ends."""

import io
import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.evaluation import metrics
from cxrcore.evaluation.saved_model import evaluate
from cxrcore.features import store
from cxrcore.inference import saved_model
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE

FAST = {"dataset": "phantom", "size": 64, "head": "gap", "epochs": 4}


def _config(**values):
    return run_config.make(**(FAST | values))


def _run(progress=None, **values):
    config = _config(**values)
    return pipeline.run(config, runs.create(config).folder, progress)


def test_folder_of_a_run(trained):
    assert {path.name for path in trained.folder.iterdir()} >= {
        "config.json",
        "about.json",
        "table.parquet",
        "status.json",
        "events.jsonl",
        "head.keras",
        "predictions.parquet",
        "metrics.json",
        "heatmaps.npy",
    }
    assert trained.status.state == "finished"
    assert len(trained.epochs) == 20 and trained.epochs[0].epoch == 1
    results, tested = trained.results, trained.predictions("test")
    assert results.test.n == len(tested) == results.n_test == 12
    assert results.test.accuracy.value == pytest.approx((tested["label"] == tested["predicted"]).mean())
    assert trained.heatmaps().shape[:2] == (12, 3)
    assert trained.classes == ["COVID", "NORMAL", "OTHER INFECTION"]
    assert results.kept_epoch == min(trained.epochs, key=lambda epoch: epoch.val_loss).epoch
    assert set(results.seconds) == {"features", "training", "total"}
    assert trained.config.dataset_version == trained.info.dataset.version == 1
    assert {"python", "cxrcore", "tensorflow"} <= set(trained.info.versions)


def test_stored_split_is_by_patient(trained):
    assert trained.table.groupby("patient")["split"].nunique().max() == 1


def test_exported_model_gives_the_stored_probabilities_in_a_fresh_process(trained, tmp_path):
    """Only Keras and the raw pixels: nothing of this package is needed to use a model."""
    script = """
import json, sys
import keras, numpy as np
from PIL import Image
paths = json.load(sys.stdin)
model = keras.models.load_model(sys.argv[1])
size = model.input_shape[1]
pixels = [np.asarray(Image.open(p).convert("RGB").resize((size, size))) for p in paths]
print(json.dumps(model.predict(np.stack(pixels).astype("float32"), verbose=0).tolist()))
assert not any(name.startswith("cxrcore") for name in sys.modules)
"""
    tested, file = trained.predictions("test"), tmp_path / "exported.keras"
    file.write_bytes(saved_model.export(trained))
    result = subprocess.run(
        [sys.executable, "-c", script, str(file)],
        input=json.dumps(list(tested["path"])),
        capture_output=True,
        text=True,
        check=True,
    )
    found = np.array(json.loads(result.stdout.splitlines()[-1]))
    stored = tested[["p_COVID", "p_NORMAL", "p_OTHER INFECTION"]].to_numpy()
    assert np.abs(found - stored).max() < 1e-4


def test_saved_model_is_the_network_without_its_optimiser(trained):
    names: list[str] = []
    with (
        zipfile.ZipFile(io.BytesIO(saved_model.export(trained))) as archive,
        archive.open("model.weights.h5") as content,
    ):
        h5py.File(io.BytesIO(content.read())).visit(names.append)
    assert any("dense" in name for name in names)
    assert not any("optimizer" in name for name in names)


@pytest.mark.parametrize(
    "values",
    [
        {"head": "tutorial", "preprocessing": "unit"},
        {"backbone": "vgg16", "weights": "random", "tap": "block2_pool", "epochs": 1},
    ],
)
def test_saved_model_agrees_for_other_heads_and_preprocessings(phantom, values):
    """All modes of preprocessing are saved and loaded in tests/features/test_backbones.py."""
    run = _run(**values)
    again, evaluated = evaluate(run)
    columns = metrics.probability_columns(run.classes)
    assert np.abs(again[columns].to_numpy() - run.predictions("test")[columns].to_numpy()).max() < 1e-4
    assert evaluated.n == 12


def test_runs_of_one_config_are_equal_and_the_second_computes_no_activations(phantom):
    reports = []
    one = _run(lambda *report: reports.append(report))
    stages = ["reading", "weights", "backbone", "features", "training", "evaluating", "saving"]
    assert list(dict.fromkeys(stage for stage, _, _ in reports)) == stages, "in this order"
    computed = [report for report in reports if report[0] == "features"]
    assert computed[0] == ("features", 0, 60) and computed[-1] == ("features", 60, 60)
    again = []
    two = _run(lambda *report: again.append(report))
    assert [report for report in again if report[0] == "features"] == [("features", 0, 60)]
    assert [epoch.loss for epoch in one.epochs] == [epoch.loss for epoch in two.epochs]
    assert one.predictions("test").equals(two.predictions("test"))


def test_stop_during_training_keeps_and_tests_the_best_epoch(phantom):
    config = _config(epochs=500, early_stopping=0)
    run = runs.create(config)

    def progress(stage, done, total):
        if stage == "training" and done == 5:
            (run.folder / STOP_FILE).touch()

    pipeline.run(config, run.folder, progress)
    assert run.status.state == "stopped" and len(run.epochs) == 5
    assert run.results.kept_epoch <= 5 and run.model_file.is_file()


def test_stop_before_training_ends_without_a_model(phantom):
    config = _config()
    run = runs.create(config)
    (run.folder / STOP_FILE).touch()
    pipeline.run(config, run.folder)
    assert run.status.state == "stopped" and run.metrics is None
    assert "nothing was trained" in str(run.status.message)
    with pytest.raises(UserError, match=r"has no results \(stopped\)"):
        _ = run.results
    with pytest.raises(UserError, match=r"has no model \(stopped\)"):
        _ = run.model_file


def test_stop_during_the_download_of_weights(phantom, monkeypatch):
    config = _config()
    run = runs.create(config)

    def download(config, progress):
        (run.folder / STOP_FILE).touch()
        progress(1, 100)
        raise AssertionError("the download was not stopped")

    monkeypatch.setattr(run_config.RunConfig, "resolve", download)
    pipeline.run(config, run.folder)
    assert run.status.state == "stopped" and run.status.stage == "weights"


def test_user_error_is_recorded_and_raised(phantom):
    config = _config(weights="file", weights_file="/nowhere.weights.h5")
    run = runs.create(config)
    with pytest.raises(UserError, match="there is no file"):
        pipeline.run(config, run.folder)
    assert run.status.state == "failed" and run.status.message.values["path"] == "/nowhere.weights.h5"


def test_unexpected_error_is_recorded_with_its_traceback(phantom, monkeypatch):
    monkeypatch.setattr(pipeline.training_data.extract, "activations", lambda *arguments: 1 / 0)
    config = _config()
    run = runs.create(config)
    with pytest.raises(ZeroDivisionError):
        pipeline.run(config, run.folder)
    assert run.status.state == "failed" and str(run.status.message) == "ZeroDivisionError: division by zero"
    assert run.log_tail().rstrip().endswith("ZeroDivisionError") and "pipeline.py" in run.log_tail()
    assert "division by zero" not in run.log_tail()


def test_run_is_complete_without_its_dataset(trained):
    dataset.delete("phantom")
    assert trained.results.test.n == 12 and len(trained.predictions("test")) == 12


def test_check_finds_a_missing_dataset_before_a_run_is_made(home):
    with pytest.raises(UserError, match="There is no dataset 'phantom'"):
        pipeline.check(_config())
    assert runs.listing() == []


def test_heatmaps_written_in_parts_are_those_of_the_images(phantom, monkeypatch):
    """12 test images of 16 kB maps, 5 at once: the crop of each is its own."""
    values = {"epochs": 1, "image_transform": "crop"}
    expected = _run(**values).heatmaps()
    monkeypatch.setattr(store, "CHUNK_BYTES", 5 * 4 * 8 * 8 * 64)
    parts = _run(**values).heatmaps()
    assert expected.shape == (12, 3, 48, 48) and expected.max() > 0
    np.testing.assert_allclose(parts, expected, atol=1e-4 * float(expected.max()))
