"""Which process works on a run."""

import psutil

from cxrcore.runs.models import ProcessId


def process_id(number: int | None = None) -> ProcessId:
    """Return what identifies a process, by default this one."""
    found = psutil.Process(number)
    return ProcessId(pid=found.pid, pid_started=found.create_time())
