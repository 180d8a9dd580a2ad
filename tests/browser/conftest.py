"""A real server and a real Chromium; skipped where there is none, except in CI."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOTS = Path(__file__).parent / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items):
    if CHROMIUM or os.environ.get("CI"):
        return
    for item in items:
        if "browser" in str(item.fspath):
            item.add_marker(pytest.mark.skip(reason="no Chromium on this machine (Debian: apt install chromium)"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def server(workspace):
    """The dashboard on a free port, with an empty workspace; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"CXR_HOME": str(workspace)}
    environment.pop("CXR_WEIGHTS_DIR", None)
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    process = subprocess.Popen([*command, "--server.port", str(port)], cwd=ROOT, env=environment)
    address = f"http://localhost:{port}"
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
            break
        except OSError:
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a busy machine
    assert CHROMIUM, "CI must have Chromium: the browser tests are not to be skipped there"
    with sync_playwright() as playwright:
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.fixture
def shot():
    """Save a screenshot of a page under a name."""

    def take(page, name):
        SHOTS.mkdir(exist_ok=True)
        page.wait_for_timeout(800)
        page.screenshot(path=SHOTS / f"{re.sub('[^a-z0-9-]', '', name)}.png", full_page=True)

    return take
