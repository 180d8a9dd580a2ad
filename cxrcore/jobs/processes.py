"""Is a run's process still there, and how to end it."""

from typing import Any

import psutil


def alive(status: dict[str, Any]) -> bool:
    """Tell whether the process that a status names is running, and is not a later one with its number."""
    return _find(status) is not None


def kill(status: dict[str, Any]) -> None:
    """End the process and its children at once; nothing happens if it is gone."""
    process = _find(status)
    if process is None:
        return
    for member in [*process.children(recursive=True), process]:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([process], timeout=2)


def _find(status: dict[str, Any]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(status.get("pid", -1)))
        same = abs(process.create_time() - status.get("pid_started", 0)) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, ValueError):
        return None
