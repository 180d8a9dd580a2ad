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
def running(home: Path, port: int = 0) -> Iterator[tuple[str, int]]:
    """Start the dashboard with the workspace `home` on a port, 0 for a free one; yield its address and the number of
    its process.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    environment = os.environ | {"CXR_HOME": str(home)}
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
    try:
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()
