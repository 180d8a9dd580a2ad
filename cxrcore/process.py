"""What identifies a process, also after its number was given to another one."""

import platform
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from cxrcore import settings
from cxrcore.settings import Executor

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TICKS = 19  # of the fields after the name in parentheses, see proc(5), where it is field 22


class ProcessId(BaseModel):
    """A process; `pid_started` and `pid_boot` tell it from a later one of the same number.

    On Linux they are the clock ticks from the machine's start to the process's, and the id of that start of the
    machine. On other systems, and in files of earlier versions, `pid_boot` is "" and `pid_started` are seconds since
    1970. `host` is the name of the machine with `CXR_EXECUTOR=dask`, else "": this one, whose name may change.
    """

    model_config = ConfigDict(frozen=True)

    pid: int = -1
    pid_started: float = 0.0
    pid_boot: str = ""
    host: str = ""


def is_elsewhere(process: ProcessId) -> bool:
    """Tell whether a process is one of another machine."""
    return process.host not in ("", platform.node())


def process_id(number: int | None = None) -> ProcessId:
    """Return what identifies a process, by default this one.

    Raises:
        psutil.NoSuchProcess: there is none with this number.
    """
    found = psutil.Process(number)
    host = platform.node() if settings.executor() is Executor.DASK else ""
    try:
        boot = _BOOT_ID.read_text().strip()
        # The name, the second field, may hold anything.
        fields = Path(f"/proc/{found.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return ProcessId(pid=found.pid, pid_started=float(fields[_START_TICKS]), pid_boot=boot, host=host)
    except FileNotFoundError:  # not Linux, or the process has ended
        return ProcessId(pid=found.pid, pid_started=found.create_time(), host=host)
