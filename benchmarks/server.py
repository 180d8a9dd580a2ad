"""The dashboard on a free port, for benchmarks and browser tests."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


@contextmanager
def running(home: Path, folder: Path = ROOT, port: int = 0, **variables: str) -> Iterator[tuple[str, int]]:
    """Start the dashboard with the workspace `home`, in a folder; yield its address and the number of its process.

    A `port` of 0 is a free one. `variables` are added to its environment; `folder` may hold `.streamlit/secrets.toml`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    environment = os.environ | {"CXR_HOME": str(home), "PYTHONPATH": str(ROOT)} | variables
    environment.pop("CXR_WEIGHTS_DIR", None)
    command = [sys.executable, "-m", "cxrcore", "app", "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, env=environment | {"STREAMLIT_SERVER_HEADLESS": "true"})
    address = f"http://localhost:{port}"
    wait_until_up(address)
    try:
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def wait_until_up(address: str, seconds: float = 30.0) -> None:
    """Return when a dashboard answers, or after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"{address}/api/health", timeout=1)
            return
        except OSError:
            time.sleep(0.1)
