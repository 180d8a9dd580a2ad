"""The GPUs of a machine, as TensorFlow tells them: noted in the workspace for processes without TensorFlow."""

import importlib
from types import SimpleNamespace

import pytest

from cxrcore import cluster, settings
from cxrcore.features import gpus, keras_setup
from cxrcore.features.gpus import MIXED, Gpu

MEMORIES = gpus._memories
H200 = Gpu(name="NVIDIA H200", memory=143771 * 2**20)


@pytest.fixture(autouse=True)
def machine(home, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "_in_use", False)
    monkeypatch.setattr(gpus, "_memories", lambda: {"NVIDIA H200": 143771 * 2**20})
    monkeypatch.setattr(gpus.platform, "node", lambda: "node7")


def _tensorflow(*names):
    """Return what `start` uses of TensorFlow on a machine with these GPUs, and the list of what it asked for."""
    asked = []
    experimental = SimpleNamespace(
        set_memory_growth=lambda gpu, on: asked.append((gpu, on)),
        enable_tensor_float_32_execution=lambda on: asked.append(("tf32", on)),
        get_device_details=lambda gpu: {"device_name": gpu},
    )
    config = SimpleNamespace(list_physical_devices=lambda kind: list(names), experimental=experimental)
    return SimpleNamespace(config=config), asked


def test_gpus_grow_and_are_noted(home):
    tensorflow, asked = _tensorflow("NVIDIA H200", "Another")
    gpus.start(tensorflow)
    assert asked == [("NVIDIA H200", True), ("Another", True), ("tf32", False)]
    (noted,) = gpus.machines()
    assert noted == gpus.machine() and noted.machine == "node7"
    assert noted.gpus == (H200, Gpu(name="Another", memory=0))
    assert gpus.are_in_use() and gpus.assignments() == ["0", "1"]
    assert (home / "gpus" / "node7.json").is_file()


def test_gpus_are_looked_for_when_tensorflow_is_imported(monkeypatch):
    asked = []
    monkeypatch.setattr(gpus, "start", asked.append)
    importlib.reload(keras_setup)
    assert asked == [keras_setup.tf]


def test_machine_without_a_gpu_is_not_noted(home):
    tensorflow, asked = _tensorflow()
    gpus.start(tensorflow)
    assert not asked and not home.exists()
    assert not gpus.are_in_use() and gpus.machine() is None and gpus.assignments() == []
    assert gpus.engine_for("cxrtiny") == ""


def test_gpu_that_was_removed_is_forgotten():
    gpus.start(_tensorflow("NVIDIA H200")[0])
    gpus.start(_tensorflow()[0])
    assert gpus.machine() is None and not gpus.are_in_use()


def test_process_that_sees_one_of_two_gpus_leaves_the_note(monkeypatch):
    gpus.start(_tensorflow("NVIDIA H200", "NVIDIA H200")[0])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    gpus.start(_tensorflow("NVIDIA H200")[0])
    assert gpus.machine().gpus == (H200, H200)
    gpus.start(_tensorflow()[0])
    assert gpus.machine().gpus == (H200, H200) and not gpus.are_in_use()


def test_gpus_that_a_batch_system_gave_are_noted_and_assigned_by_their_own_numbers(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    gpus.start(_tensorflow("NVIDIA H200", "NVIDIA H200")[0])
    assert gpus.machine().gpus == (H200, H200) and gpus.assignments() == ["2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus.assignments() == []


def test_engine_is_mixed_precision_unless_the_tolerance_was_exceeded_or_a_cluster_computes(monkeypatch):
    gpus.start(_tensorflow("NVIDIA H200")[0])
    assert gpus.engine_for("cxrtiny") == gpus.engine_for("xception") == MIXED
    gpus.use_float32("xception")
    gpus.start(_tensorflow("NVIDIA H200")[0])
    assert (gpus.engine_for("cxrtiny"), gpus.engine_for("xception")) == (MIXED, "")
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    assert gpus.engine_for("cxrtiny") == ""
    # A trial or a fold, which a worker computes as if it were alone.
    assert cluster._Call(_engine_and_executor)("cxrtiny") == ("", settings.Executor.LOCAL)
    assert gpus.engine_for("cxrtiny") == MIXED


def _engine_and_executor(backbone):
    return gpus.engine_for(backbone), settings.executor()


def test_nothing_is_noted_in_a_demonstration(home, monkeypatch):
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    gpus.start(_tensorflow("NVIDIA H200")[0])
    assert gpus.are_in_use() and not home.exists()
    monkeypatch.setenv("CXR_READ_ONLY", "0")
    gpus.start(_tensorflow("NVIDIA H200")[0])
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    gpus.use_float32("xception")
    gpus.start(_tensorflow()[0])
    assert gpus.machine() == gpus.MachineGpus(machine="node7", gpus=(H200,))


def test_damaged_note_is_written_again(home):
    gpus.start(_tensorflow("NVIDIA H200")[0])
    (home / "gpus" / "node7.json").write_text("{")
    assert gpus.machine() is None and gpus.machines() == []
    gpus.start(_tensorflow("NVIDIA H200")[0])
    assert gpus.machine().gpus == (H200,)


def test_memory_is_that_which_the_driver_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "_memories", MEMORIES)
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus._memories() == {} and not gpus.are_expected()
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771'\necho 'GRID, [N/A]'\n")
    program.chmod(0o755)
    assert gpus._memories() == {"NVIDIA H200": 143771 * 2**20} and gpus.are_expected()
    program.write_text("#!/bin/sh\nexit 9\n")
    assert gpus._memories() == {}
    gpus.start(_tensorflow("NVIDIA H200")[0])
    assert gpus.machine().gpus[0].memory == 0 and not gpus.are_expected()
