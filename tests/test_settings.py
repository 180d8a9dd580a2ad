"""Where the workspace is, and settings with a wrong value."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from platformdirs import user_data_path

import cxrcore
from cxrcore import settings
from cxrcore.cli import main
from cxrcore.errors import UserError
from tests.conftest import ROOT


@pytest.fixture
def no_home(monkeypatch):
    monkeypatch.delenv("CXR_HOME")


@pytest.fixture
def installed(no_home, monkeypatch, tmp_path):
    """The package as if it were in a folder without a checkout around it."""
    monkeypatch.setattr(settings, "_ROOT", tmp_path)


def test_home_is_the_folder_that_cxr_home_names(monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_HOME", str(tmp_path / "a" / ".." / "b"))
    assert settings.home() == tmp_path / "b"
    assert settings.home_description() == f"{tmp_path / 'b'} (CXR_HOME)"


def test_relative_home_is_relative_to_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_HOME", "here")
    assert settings.home() == tmp_path / "here"


def test_home_of_a_checkout_does_not_depend_on_the_working_directory(no_home, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert settings.source_checkout() == ROOT
    assert settings.home() == ROOT / "workspace"
    assert settings.home_description() == f"{ROOT / 'workspace'} (of the source checkout)"


def test_home_of_an_installed_package_is_the_users_data_folder(installed):
    folder = user_data_path("cxrcore", appauthor=False)
    assert settings.source_checkout() is None
    assert settings.home() == folder
    assert settings.home_description() == f"{folder} (the user's data folder)"


@pytest.mark.skipif(sys.platform != "linux", reason="XDG folders are Linux's")
def test_users_data_folder_follows_xdg(installed, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert settings.home() == tmp_path / "data" / "cxrcore"


def test_every_command_names_the_workspace_on_stderr(home, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cxr", "data", "list", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    out, error = capsys.readouterr()
    assert (ended.value.code, error) == (0, f"Workspace: {home} (CXR_HOME)\n")
    assert out.startswith("{")


def test_version_is_that_of_the_installed_metadata():
    assert cxrcore.__version__ == version("cxrcore")


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("CXR_MAX_JOBS", "0", settings.max_jobs),
        ("CXR_MAX_JOBS", "two", settings.max_jobs),
        ("CXR_WORKERS", "0", settings.workers),
        ("CXR_WORKER_MB", "1.5", settings.worker_bytes),
        ("CXR_CACHE_GB", "-1", settings.cache_bytes),
        ("CXR_CACHE_GB", "nan", settings.cache_bytes),
        ("CXR_READ_ONLY", "yes", settings.read_only),
        ("CXR_OPENVINO", "true", settings.use_openvino),
        ("CXR_EXECUTOR", "slurm", settings.executor),
        ("CXR_DASK_SCHEDULER", "", settings.dask_scheduler),
        ("CXR_DASK_SCHEDULER", "host:8786", settings.dask_scheduler),
        ("CXR_DASK_SCHEDULER", "http://host:8787", settings.dask_scheduler),
        ("CXR_DASK_SCHEDULER", "tcp://host", settings.dask_scheduler),
    ],
)
def test_bad_value_is_named(monkeypatch, name, text, read):
    monkeypatch.setenv(name, text)
    with pytest.raises(UserError, match=f"{name} must be .* Received: '{text}'"):
        read()


def test_values_of_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_CACHE_GB", "0.5")
    monkeypatch.setenv("CXR_MAX_JOBS", "3")
    monkeypatch.setenv("CXR_WORKER_MB", "1500")
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    monkeypatch.setenv("CXR_DATA_ROOTS", f"{tmp_path}{os.pathsep}~")
    assert settings.cache_bytes() == 500_000_000
    assert settings.max_jobs() == 3
    assert (settings.workers(), settings.worker_bytes()) == (1, 1_500_000_000)
    assert settings.read_only()
    assert settings.data_roots() == [tmp_path, Path.home().resolve()]


def test_activations_are_computed_here_unless_a_cluster_is_named(monkeypatch):
    assert settings.executor() is settings.Executor.LOCAL
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    assert settings.executor() is settings.Executor.DASK


@pytest.mark.parametrize("address", ["tcp://node-1.example.org:8786", "tls://10.0.0.7:8786", "tcp://[fe80::1]:8786"])
def test_address_of_a_scheduler(monkeypatch, address):
    monkeypatch.setenv("CXR_DASK_SCHEDULER", address)
    assert settings.dask_scheduler() == address


def test_nothing_may_be_written_where_read_only(monkeypatch):
    settings.require_writable()
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    with pytest.raises(UserError, match="CXR_READ_ONLY=1"):
        settings.require_writable()
