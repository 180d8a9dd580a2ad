"""The Status page: warnings first, the latest errors by number, and the settings in force."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cxrcore import cluster, logs
from cxrcore.cluster import Worker
from cxrcore.features import gpus
from cxrcore.ui.status import state

STATE = state.ServerState(20 * 10**9, 8 * 10**9, 4 * 10**8, 15 * 10**8, 1, 2, 0)


@pytest.fixture
def now(monkeypatch):
    def use(**changes):
        monkeypatch.setattr(state, "read", lambda: replace(STATE, **changes))

    use()
    return use


def test_shows_numbers_queue_and_settings(open_page, now, monkeypatch):
    monkeypatch.setenv("CXR_MAX_JOBS", "3")
    test = open_page("status")
    assert [found.value for found in test.success] == ["The server has enough disk space and memory."]
    assert [metric.value for metric in test.metric] == ["20.0 GB", "8.0 GB", "0.4 GB", "1.5 GB"]
    assert "1 run is being trained. 2 runs wait. 0 computations wait." in [text.value for text in test.markdown]
    settings = next(table.value for table in test.dataframe if "Setting" in table.value)
    assert settings.set_index("Setting").loc["CXR_MAX_JOBS", "Value"] == "3"


def test_little_disk_and_memory_are_warned_of(open_page, now):
    now(free_disk=3 * 10**9, free_memory=5 * 10**8)
    test = open_page("status", lang="pt")
    assert len(test.warning) == 2 and not test.success
    assert "3,0 GB" in test.warning[0].value and "0,5 GB" in test.warning[1].value


def test_latest_error_is_listed_by_its_number(open_page, now):
    logs.start()
    number = logs.unexpected(KeyError("Maria"))
    test = open_page("status")
    errors = next(table.value for table in test.dataframe if "Number" in table.value)
    assert errors[["Number", "Error"]].to_dict("records") == [{"Number": number, "Error": "Unexpected error: KeyError"}]


def test_workers_of_the_cluster_and_what_they_do(open_page, now, monkeypatch):
    functions = ("begin", "compute_block", "compute_block")
    workers = [
        Worker("tcp://10.0.0.7:1", 1, 1, functions, 1.94, 14 * 10**8, 4 * 10**9),
        Worker("tcp://10.0.0.8:1", 0, 2, (), 0.0, 3 * 10**8, 0),
    ]
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setenv("CXR_DASK_SCHEDULER", "tcp://10.0.0.1:8786")
    monkeypatch.setattr(
        cluster, "connected", lambda seconds: nullcontext(SimpleNamespace(workers=workers, page="http://x"))
    )
    test = open_page("status")
    table = next(table.value for table in test.dataframe if "Worker" in table.value)
    assert table.to_numpy().tolist() == [
        ["tcp://10.0.0.7:1", "1 of 1", "run × 1, activations × 2", "1.9", "1.4 GB", "4.0 GB"],
        ["tcp://10.0.0.8:1", "0 of 2", "", "0.0", "0.3 GB", ""],
    ]
    workers.clear()
    (text,) = [found.value for found in open_page("status").warning]
    command = "`dask worker tcp://10.0.0.1:8786 --nthreads 1`"
    assert text == f"There is no worker; runs wait for one. Start one with: {command}"


def test_cluster_that_does_not_answer_leaves_the_rest_of_the_page(open_page, now, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    test = open_page("status")
    assert "CXR\\_DASK\\_SCHEDULER must be an address" in test.error[0].value
    assert "Latest errors" in [found.value for found in test.subheader]


def test_gpus_of_all_machines(open_page, now, home):
    none = "No process has found a GPU yet. Activations are computed by the processor."
    assert none in [text.value for text in open_page("status").caption]
    (home / "gpus").mkdir(parents=True)
    gpu = gpus.Gpu(name="NVIDIA H200", memory=143771 * 2**20)
    for name, found in (("node1", (gpu, gpu)), ("node2", (gpus.Gpu(name="Another"),))):
        gpus.MachineGpus(machine=name, gpus=found).write(home / "gpus" / f"{name}.json")
    test = open_page("status")
    assert none not in [text.value for text in test.caption]
    table = next(table.value for table in test.dataframe if "GPU" in table.value)
    assert table.to_numpy().tolist() == [
        ["node1", "NVIDIA H200", "150.8 GB"],
        ["node1", "NVIDIA H200", "150.8 GB"],
        ["node2", "Another", ""],
    ]


def test_folder_of_features_elsewhere(open_page, now, home, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_FEATURES_DIR", str(tmp_path / "elsewhere"))
    shown = [text.value.replace("\\", "") for text in open_page("status").caption]
    assert str(home) in shown and str(tmp_path / "elsewhere") in shown


def test_state_of_this_process(phantom):
    found = state.read()
    assert found.free_disk > 0 and found.server_memory > 10**7 and found.running == found.queued == 0
    (size, *rest) = state.folder_sizes().values()
    assert size > 60 * 1000 and not any(rest)
