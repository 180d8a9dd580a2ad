"""Whether the process of a run is alive, and how to end it."""

import psutil

from cxrcore.runs import ProcessId


def alive(process: ProcessId) -> bool:
    """Tell whether a process is running, and is not a later one with its number."""
    return _find(process) is not None


def kill(process: ProcessId) -> None:
    """End a process and its children at once; nothing happens if it has ended."""
    found = _find(process)
    if found is None:
        return
    for member in [*found.children(recursive=True), found]:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([found], timeout=2)


def _find(process: ProcessId) -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.pid_started) < 1
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, ValueError):
        return None
