"""`cxr app`: which script it starts, with which settings, and what it says when it cannot."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from cxrcore import __version__ as VERSION
from cxrcore import settings
from cxrcore.cli import dashboard, main
from cxrcore.errors import UserError
from tests.conftest import ROOT


@pytest.fixture
def taken():
    """A port that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free(taken):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def streamlit(monkeypatch):
    """Record the command line in place of starting Streamlit."""
    started = []
    monkeypatch.setattr(sys, "argv", ["cxr", "app"])
    monkeypatch.setattr(dashboard.runpy, "run_module", lambda name, **options: started.append((name, sys.argv)))
    return started


def test_starts_the_checkouts_entry(streamlit, free, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    dashboard.app(port=free, address="127.0.0.1", read_only=False)
    words = ["run", str(ROOT / "streamlit_app.py"), "--server.address", "127.0.0.1", "--server.port", str(free)]
    assert streamlit == [("streamlit", ["streamlit", *words])]
    assert not settings.read_only()


def test_starts_the_wheels_entry_where_there_is_no_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "_ROOT", tmp_path)
    assert dashboard.entry_script() == ROOT / "cxrcore" / "app" / "streamlit_app.py"


def test_read_only_flag_sets_the_setting(streamlit, free, monkeypatch):
    monkeypatch.setenv("CXR_READ_ONLY", "0")
    dashboard.app(port=free, address="127.0.0.1", read_only=True)
    assert settings.read_only() and streamlit


def test_taken_port_is_refused(taken, streamlit):
    with pytest.raises(UserError, match=rf"Port {taken} of 127.0.0.1 is not available .* --port"):
        dashboard.app(port=taken, address="127.0.0.1", read_only=False)
    assert not streamlit


def test_taken_port_ends_with_one_line_and_exit_code_two(taken, streamlit, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cxr", "app", "--port", str(taken)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, error = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    (line,) = error.splitlines()
    assert line.startswith(f"Error: Port {taken} of localhost is not available")


def test_dashboard_answers_from_another_folder_and_prints_its_address(free, home, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "STREAMLIT_SERVER_HEADLESS": "true"}
    command = [sys.executable, "-m", "cxrcore", "app", "--port", str(free)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://localhost:{free}/_stcore/health", timeout=2) as answer:
                    assert answer.read() == b"ok"
                for name, content in (
                    ("health", {"status": "ok"}),
                    ("version", {"name": "cxrcore", "version": VERSION}),
                ):
                    with urllib.request.urlopen(f"http://localhost:{free}/api/{name}", timeout=2) as answer:
                        assert json.load(answer) == content
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        process.terminate()
    out, error = process.communicate(timeout=20)
    assert f"http://localhost:{free}" in out
    assert error.splitlines()[0] == f"Workspace: {home} (CXR_HOME)"
    assert process.returncode == 0


def test_projects_settings_apply_in_every_working_directory(tmp_path):
    script = (
        "from streamlit import config\n"
        "from streamlit.web import bootstrap\n"
        "import sys\n"
        "config._main_script_path = sys.argv[1]\n"
        "bootstrap.load_config_options({})\n"
        "print([config.get_option(name) for name in ('server.maxUploadSize', 'theme.light.primaryColor')])"
    )
    command = [sys.executable, "-c", script, str(dashboard.entry_script())]
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[server]\nmaxUploadSize = 5\n")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1000, '#0F766E']"
