"""`/api/health` and `/api/version`: what a container or a monitor is told of the server."""

import errno
import os

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import cxrcore
from cxrcore.ui import server


@pytest.fixture
def client():
    with TestClient(Starlette(routes=server.ROUTES)) as made:
        yield made


def _health(client):
    answer = client.get("/api/health")
    return answer.status_code, answer.json()["status"]


BAD = (503, "the workspace cannot be read")


def test_workspace_that_is_there_or_not_made_yet_is_healthy(client, home):
    assert _health(client) == (200, "ok") and not home.exists()
    home.mkdir()
    assert _health(client) == (200, "ok")
    (home / "runs").mkdir()
    assert _health(client) == (200, "ok")


def test_workspace_that_is_a_file_is_not_healthy(client, home):
    home.write_text("")
    assert _health(client) == BAD
    home.unlink()
    assert _health(client) == (200, "ok")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_workspace_that_the_system_does_not_let_read_is_not_healthy(number, client, home, monkeypatch):
    """Tests run as root can read everything, so the answer of the system is made."""
    home.mkdir()
    scandir = os.scandir

    def refuse(path="."):
        if path == home:
            raise OSError(number, os.strerror(number), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert _health(client) == BAD


def test_version_is_that_of_the_package(client):
    assert client.get("/api/version").json() == {"name": "cxrcore", "version": cxrcore.__version__}
