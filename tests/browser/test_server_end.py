"""The end of the server while a visitor looks at a page, a worker computes and a run is trained."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from playwright.sync_api import expect

from benchmarks.server import wait_until_up
from cxrcore.config import run_config
from cxrcore.jobs import processes, queue, run_process
from tests.conftest import ROOT
from tests.jobs.test_queue import LONG

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def dashboard(trained, home, tmp_path):
    """`cxr app` with one finished run: its process, its address, and the file with what it prints."""
    port, output = 8770 + os.getpid() % 7, tmp_path / "output.txt"
    command = [sys.executable, "-m", "cxrcore", "app", "--port", str(port)]
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"STREAMLIT_SERVER_HEADLESS": "true"}, stdout=file, stderr=file
        )
    wait_until_up(f"http://localhost:{port}")
    yield process, f"http://localhost:{port}", output
    process.kill()
    process.wait()


def test_sigterm_ends_server_and_workers_but_no_training(dashboard, trained, page):
    process, address, output = dashboard
    page.goto(f"{address}/explain?run={trained.name}")
    expect(page.get_by_role("img", name="of", exact=False).first).to_be_visible()
    run = queue.submit(run_config.make(**LONG))
    deadline = time.monotonic() + 60
    while not run.epochs and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers  # of the pool
    began = time.monotonic()
    process.terminate()
    try:
        assert process.wait(20) == 0
        assert time.monotonic() - began < 15
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert not alive
        before = len(run.epochs)
        time.sleep(1)
        assert run.status.state == "running" and len(run.epochs) > before
    finally:
        processes.kill(run.status, run_process.work(run))
    assert "Traceback" not in output.read_text()
