"""The frozen pass on a GPU. There is none here: the processor computes what a GPU would, also in float16."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxrcore import runs, settings
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.features import extract, gpu_pass, gpus, openvino, weights
from cxrcore.features.backbones import get
from cxrcore.features.extract import ExtractionCallbacks
from cxrcore.features.gpus import MIXED
from cxrcore.features.keras_setup import tf
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import predict
from cxrcore.features.store import Store
from cxrcore.training import pipeline

WEIGHTS = weights.resolve(get("cxrtiny"), "bundled")
KEY = FeatureKey("cxrtiny", WEIGHTS.digest, 64, "minus_one_to_one", "block5_out")
ON_GPU = replace(KEY, engine=MIXED)
IMAGES = 20


@pytest.fixture
def gpu(home, monkeypatch):
    """A GPU in this process, noted in the workspace."""
    monkeypatch.setattr(gpus, "are_in_use", lambda: True)
    monkeypatch.setattr(gpu_pass, "_images", {})
    monkeypatch.setattr(gpu_pass, "MOST", 16)
    gpus.MachineGpus(machine="node7", gpus=(gpus.Gpu(name="NVIDIA H200"),)).write(gpus._file())


@pytest.fixture
def table(save):
    rows = []
    for k in range(IMAGES):
        path = save(f"{k}.png", np.random.default_rng(k).integers(0, 256, (64, 64), dtype=np.uint8))
        rows.append({"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    return pd.DataFrame(rows)


class _Limited:
    """A model that returns the first value of each image, while so many images fit into the memory."""

    input_shape = (None, 2, 2, 3)

    def __init__(self, most):
        self.most, self.passes = most, []

    def predict_on_batch(self, pixels):
        self.passes.append(len(pixels))
        if len(pixels) > self.most:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")
        return pixels[:, 0, 0, :1].astype(np.float16)


def _numbered(count):
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)


@pytest.mark.parametrize(("most", "images", "tried"), [(100, 64, [16, 32, 64, 128]), (8, 8, [16])])
def test_pass_has_the_most_images_that_fit(gpu, monkeypatch, most, images, tried):
    monkeypatch.setattr(gpu_pass, "MOST", 256)
    model = _Limited(most)
    assert gpu_pass.fitted(model, KEY).images == images and model.passes == tried and not model.jit_compile
    assert gpu_pass.fitted(model, ON_GPU).images == images and model.passes == tried, "tried once"
    assert gpu_pass.fitted(_Limited(10**6), replace(KEY, size=96)).images == 256


def test_memory_that_another_program_takes_later_divides_a_pass(gpu):
    model = _Limited(100)
    passes = gpu_pass.fitted(model, KEY)
    model.most, model.passes = 5, []
    found = predict(passes, _numbered(20))
    assert found[:, 0].tolist() == list(range(20)) and found.dtype == np.float32
    assert model.passes == [16, 8, 4, 4, 8, 4, 4] * 2
    model.most = 0
    with pytest.raises(UserError, match="does not suffice for one image"):
        predict(passes, _numbered(1))


def test_without_a_gpu_or_with_openvino_the_model_is_used_as_it_is(gpu, monkeypatch):
    model = _Limited(100)
    assert gpu_pass.fitted(model, replace(KEY, engine=openvino.NAME)) is model
    monkeypatch.setattr(gpus, "are_in_use", lambda: False)
    assert gpu_pass.fitted(model, KEY) is model and not model.passes


def test_difference_is_a_share_of_the_largest_value():
    expected = np.array([[1.0, -4.0]], np.float32)
    assert gpu_pass.difference(np.array([[1.0, -3.0]], np.float16), expected) == 0.25
    for value in (np.inf, np.nan):
        assert gpu_pass.difference(np.array([[value, -4.0]], np.float16), expected) == np.inf
    assert gpu_pass.difference(np.zeros((1, 2), np.float16), np.zeros((1, 2), np.float32)) == 0


def test_backbone_is_mixed_and_the_rest_is_float32():
    key = replace(KEY, tap="block4c_out+block5_out", moments=True)
    mixed = gpu_pass.in_mixed_precision(key.build(WEIGHTS))
    layers = mixed.get_layer("backbone").layers[1:]
    assert {layer.compute_dtype for layer in layers} == {"float16"}
    assert {variable.dtype for layer in layers for variable in layer.weights} == {"float32"}
    assert {mixed.get_layer(name).compute_dtype for name in ("preprocess", "moments")} == {"float32"}
    assert mixed.output.dtype == "float32" and not mixed.trainable_weights and not mixed.jit_compile


def test_activations_in_mixed_precision_are_near_those_in_float32_and_kept_apart(gpu, table):
    reports = []
    callbacks = ExtractionCallbacks(progress=lambda *report: reports.append(report))
    exact = KEY.build(WEIGHTS)
    found = extract.activations(table, ON_GPU, WEIGHTS, lambda: exact, callbacks).rows(range(IMAGES))
    assert reports == [(16, 20), (20, 20)], "as many at once as fit"
    assert len(Store(KEY).missing(table["sha256"])) == IMAGES and not Store(ON_GPU).missing(table["sha256"])
    expected = extract.activations(table, KEY, WEIGHTS, lambda: exact).rows(range(IMAGES))
    assert 0 < gpu_pass.difference(found, expected) < gpu_pass.TOLERANCE
    assert found.dtype == np.float32


def test_means_of_several_taps_in_mixed_precision(gpu, table):
    keys = [replace(ON_GPU, tap=tap, pooled=True, moments=True) for tap in ("block4c_out", "block5_out")]
    exact = [replace(key, engine="") for key in keys]
    found, expected = (
        extract.activations_of_taps(table, each, WEIGHTS, lambda: KEY.build_backbone(WEIGHTS)) for each in (keys, exact)
    )
    for each, reference in zip(found, expected, strict=True):
        assert 0 < gpu_pass.difference(each.rows(range(IMAGES)), reference.rows(range(IMAGES))) < gpu_pass.TOLERANCE


def test_float32_is_used_and_remembered_where_the_tolerance_is_exceeded(gpu, table, monkeypatch, caplog):
    monkeypatch.setattr(gpu_pass, "TOLERANCE", 1e-7)
    exact = KEY.build(WEIGHTS)
    found = extract.activations(table, ON_GPU, WEIGHTS, lambda: exact).rows(range(IMAGES))
    assert not Store(KEY).missing(table["sha256"]) and len(Store(ON_GPU).missing(table["sha256"])) == IMAGES
    assert gpus.engine_for("cxrtiny") == "" and gpus.engine_for("xception") == MIXED
    assert "float32 is used, as this is more than 1e-07" in caplog.text
    assert found == pytest.approx(exact.predict(np.stack([*_pixels(table)]), verbose=0), abs=1e-5)


def test_process_without_the_gpu_of_its_machine_computes_in_float32(gpu, table, monkeypatch):
    monkeypatch.setattr(gpus, "are_in_use", lambda: False)
    extract.activations(table, ON_GPU, WEIGHTS, lambda: KEY.build(WEIGHTS))
    assert not Store(KEY).missing(table["sha256"]) and len(Store(ON_GPU).missing(table["sha256"])) == IMAGES
    assert gpus.engine_for("cxrtiny") == MIXED


def test_first_run_on_a_gpu_uses_it_for_all_activations(phantom, monkeypatch):
    """TensorFlow is loaded, and finds the GPU, before the first key is made."""
    monkeypatch.setattr(gpus, "are_in_use", lambda: True)
    monkeypatch.setattr(gpu_pass, "_images", {})
    found = gpus.MachineGpus(machine="node7", gpus=(gpus.Gpu(name="NVIDIA H200"),))
    monkeypatch.setattr(gpu_pass, "find", lambda: found.write(gpus._file()))
    config = run_config.make(dataset="phantom", size=64, head="gap", epochs=1)
    pipeline.run(config, runs.create(config).folder)
    abouts = [json.loads(path.read_text()) for path in settings.features_folder().glob("*/about.json")]
    assert [about["engine"] for about in abouts] == [MIXED]


def test_gpus_are_looked_for_only_where_they_are_expected(home, monkeypatch, caplog):
    caplog.set_level("INFO")
    gpu_pass.find()
    assert not caplog.text
    monkeypatch.setattr(gpus, "are_expected", lambda: True)
    gpu_pass.find()
    assert f"TensorFlow {tf.__version__} uses 0 GPUs" in caplog.text


def _pixels(table):
    return np.concatenate(list(extract.batches(table["path"].map(extract.Path), 64)))
