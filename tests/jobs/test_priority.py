"""Trainings and tasks let the pages go before them."""

import os
import sys
import time
from contextlib import suppress

import psutil
import pytest


@pytest.mark.skipif(os.name == "nt", reason="Windows has classes of priority")
@pytest.mark.parametrize(("module", "arguments"), [("worker", []), ("tasks", ["shortcut"])])
def test_process_lowers_its_priority(module, arguments, tmp_path):
    process = psutil.Popen([sys.executable, "-m", f"cxrcore.jobs.{module}", str(tmp_path / "nowhere"), *arguments])
    seen = set()
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            seen.add(process.nice())
        time.sleep(0.01)
    assert max(10, os.nice(0)) in seen
