"""Whose a run is: the process that a status names."""

from typing import Any

import psutil


def process(number: int | None = None) -> dict[str, Any]:
    """Return what a status says of a process, by default this one; its start tells it from a later one's number."""
    found = psutil.Process(number)
    return {"pid": found.pid, "pid_started": found.create_time()}
