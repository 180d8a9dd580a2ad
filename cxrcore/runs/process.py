"""Which process works on a run."""

from pathlib import Path

import psutil

from cxrcore.runs.models import ProcessId

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TICKS = 19  # of the fields after the name in parentheses, see proc(5), where it is field 22


def process_id(number: int | None = None) -> ProcessId:
    """Return what identifies a process, by default this one.

    Raises:
        psutil.NoSuchProcess: there is none with this number.
    """
    found = psutil.Process(number)
    try:
        boot = _BOOT_ID.read_text().strip()
        # The name, the second field, may hold anything.
        fields = Path(f"/proc/{found.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return ProcessId(pid=found.pid, pid_started=float(fields[_START_TICKS]), pid_boot=boot)
    except FileNotFoundError:  # not Linux, or the process has ended
        return ProcessId(pid=found.pid, pid_started=found.create_time())
