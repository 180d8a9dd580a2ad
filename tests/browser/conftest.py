"""A real server and a real Chromium; skipped where there is none, except in CI."""

import os
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.server import running
from cxrcore.runs import Run

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
    """An empty workspace for the tests of a file that change it."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def server(workspace):
    """The dashboard on a free port, with `workspace`; yields its address."""
    with running(workspace) as (address, _):
        yield address


@pytest.fixture(scope="module")
def run(workspace, _trained):
    """A finished run with 12 test images in `workspace`."""
    return _copied(workspace, _trained)


@pytest.fixture(scope="session")
def shared_workspace(tmp_path_factory):
    """A workspace for tests that read, or that change nothing but the results of `shared_run`."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def shared_run(shared_workspace, _trained):
    """A finished run with 12 test images in `shared_workspace`."""
    return _copied(shared_workspace, _trained)


@pytest.fixture(scope="session")
def shared_server(shared_workspace, shared_run):
    """The dashboard with `shared_run`, one for all files; yields its address."""
    with running(shared_workspace) as (address, _):
        yield address


def _copied(workspace, trained):
    folder, name = trained
    shutil.copytree(folder, workspace, dirs_exist_ok=True)
    return Run(workspace / "runs" / name)


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a busy machine
    assert CHROMIUM, "CI must have Chromium: the browser tests are not to be skipped there"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
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
