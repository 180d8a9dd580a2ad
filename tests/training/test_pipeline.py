import io
import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE

FAST = {"dataset": "phantom", "size": 64, "epochs": 4}


def _run(listener=None, **values):
    made = run_config.make(**(FAST | values))
    return pipeline.run(made, runs.create(made.model_dump(mode="json")).folder, listener)


def test_the_folder_says_all(trained):
    assert {path.name for path in trained.folder.iterdir()} >= {
        "config.json", "about.json", "table.parquet", "status.json", "events.jsonl", "model.keras",
        "predictions.parquet", "metrics.json", "heatmaps.npy",
    }  # fmt: skip
    assert trained.status["state"] == "finished"
    assert len(trained.epochs) == 20 and trained.epochs[0]["epoch"] == 1
    metrics, tested = trained.metrics, trained.predictions("test")
    assert metrics["n"] == len(tested) == metrics["n_test"] == 12
    assert metrics["accuracy"]["value"] == pytest.approx((tested["label"] == tested["predicted"]).mean())
    assert trained.heatmaps().shape[:2] == (12, 3)
    assert trained.about["classes"] == ["COVID", "NORMAL", "OTHER INFECTION"]
    best = min(trained.epochs, key=lambda epoch: epoch["val_loss"])
    assert metrics["kept_epoch"] == best["epoch"]


def test_the_stored_split_is_by_patient(trained):
    table = pd.read_parquet(trained.folder / "table.parquet")
    assert table.groupby("patient")["split"].nunique().max() == 1


def test_the_saved_model_gives_the_stored_probabilities_in_a_fresh_process(trained):
    """Only Keras and the raw pixels: nothing of this package is needed to use a model."""
    script = """
import json, sys
import keras, numpy as np
from PIL import Image
folder, paths = sys.argv[1], json.load(sys.stdin)
model = keras.models.load_model(folder + "/model.keras")
size = model.input_shape[1]
pixels = [np.asarray(Image.open(p).convert("RGB").resize((size, size))) for p in paths]
print(json.dumps(model.predict(np.stack(pixels).astype("float32"), verbose=0).tolist()))
assert not any(name.startswith("cxrcore") for name in sys.modules)
"""
    tested = trained.predictions("test")
    result = subprocess.run(
        [sys.executable, "-c", script, str(trained.folder)],
        input=json.dumps(list(tested["path"])), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = np.array(json.loads(result.stdout.splitlines()[-1]))
    stored = tested[["p_COVID", "p_NORMAL", "p_OTHER INFECTION"]].to_numpy()
    assert np.abs(found - stored).max() < 1e-4


def test_the_saved_model_is_the_network_without_its_optimiser(trained):
    names: list[str] = []
    with zipfile.ZipFile(trained.model_file) as archive, archive.open("model.weights.h5") as content:
        h5py.File(io.BytesIO(content.read())).visit(names.append)
    assert any("dense" in name for name in names)
    assert not any("optimizer" in name for name in names)


@pytest.mark.parametrize(
    "values",
    [
        {"head": "tutorial", "preprocessing": "unit"},
        {"backbone": "mobilenetv2", "weights": "random", "tap": "block_9_add"},
        {"backbone": "vgg16", "weights": "random", "epochs": 1},
        {"backbone": "densenet121", "weights": "random", "epochs": 1, "tap": "conv2_block6_concat"},
    ],
)
def test_saved_models_agree_for_other_heads_and_preprocessings(phantom, values):
    from cxrcore.evaluation import metrics
    from cxrcore.inference import predict

    run = _run(**values)
    again, _ = predict.evaluate(run)
    columns = metrics.probability_columns(run.about["classes"])
    assert np.abs(again[columns].to_numpy() - run.predictions("test")[columns].to_numpy()).max() < 1e-4


def test_the_same_config_gives_the_same_curves_and_predictions(phantom):
    one, two = _run(), _run()
    assert [e["loss"] for e in one.epochs] == [e["loss"] for e in two.epochs]
    assert one.predictions("test").equals(two.predictions("test"))


def test_a_second_run_computes_no_activations(phantom):
    _run()
    seen = []
    _run(learning_rate=1e-2, listener=lambda stage, done, total: seen.append((stage, done)))
    assert ("features", 0) in seen and not [done for stage, done in seen if stage == "features" and done]


def test_stages_are_told_in_order(phantom):
    seen = []
    _run(listener=lambda stage, done, total: seen.append(stage))
    assert list(dict.fromkeys(seen)) == list(pipeline.STAGES)


def test_a_stop_during_training_keeps_and_tests_the_best_epoch(phantom):
    made = run_config.make(**(FAST | {"epochs": 500, "early_stopping": 0}))
    run = runs.create(made.model_dump(mode="json"))

    def listen(stage, done, total):
        if stage == "training" and done == 5:
            (run.folder / STOP_FILE).touch()

    pipeline.run(made, run.folder, listen)
    assert run.status["state"] == "stopped" and len(run.epochs) == 5
    assert run.metrics["kept_epoch"] <= 5 and (run.folder / "model.keras").is_file()


def test_a_stop_before_training_ends_without_a_model(phantom):
    made = run_config.make(**FAST)
    run = runs.create(made.model_dump(mode="json"))
    (run.folder / STOP_FILE).touch()
    pipeline.run(made, run.folder)
    assert run.status["state"] == "stopped" and run.metrics is None
    assert "nothing was learned" in run.status["message"]


def test_a_stop_while_weights_are_downloaded(phantom, monkeypatch):
    def download(*arguments):
        (made.folder / STOP_FILE).touch()
        arguments[-1](1, 100)
        raise AssertionError("went on")

    monkeypatch.setattr(pipeline.weights, "resolve", download)
    chosen = run_config.make(**FAST)
    made = runs.create(chosen.model_dump(mode="json"))
    pipeline.run(chosen, made.folder)
    assert made.status["state"] == "stopped" and made.status["stage"] == "weights"


def test_a_users_mistake_is_written_down_and_raised(phantom):
    made = run_config.make(**(FAST | {"weights": "file", "weights_file": "/nowhere.weights.h5"}))
    run = runs.create(made.model_dump(mode="json"))
    with pytest.raises(UserError, match="there is no file"):
        pipeline.run(made, run.folder)
    assert run.status["state"] == "failed" and "there is no file" in run.status["message"]


def test_an_accident_is_written_down_with_its_traceback(phantom, monkeypatch):
    monkeypatch.setattr(pipeline.material.extract, "activations", lambda *arguments: 1 / 0)
    made = run_config.make(**FAST)
    run = runs.create(made.model_dump(mode="json"))
    with pytest.raises(ZeroDivisionError):
        pipeline.run(made, run.folder)
    assert run.status["state"] == "failed" and "ZeroDivisionError" in run.status["message"]
    assert "Traceback" in run.log_tail()


def test_a_run_keeps_what_it_saw_when_the_dataset_is_deleted(trained):
    dataset.delete("phantom")
    assert trained.metrics["n"] == 12 and len(trained.predictions("test")) == 12


def test_check_finds_mistakes_before_a_run_is_made(home):
    with pytest.raises(UserError, match="There is no dataset 'phantom'"):
        pipeline.check(run_config.make(**FAST))
