"""What identifies a process, also after its number was given to another one, and what shows other machines that it is
alive.
"""

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from cxrcore import settings
from cxrcore.settings import Executor

HEARTBEAT_SECONDS = 5
# Without a heartbeat for so long, a process of another machine is dead. NFS may show a file's time some seconds late.
SILENT_SECONDS = 60
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


@contextmanager
def heartbeat(file: Path) -> Iterator[None]:
    """Touch a file every `HEARTBEAT_SECONDS` meanwhile, with `CXR_EXECUTOR=dask`, for machines that see no process.

    The file is made if it is missing now, and not again if it is removed meanwhile.
    """
    if settings.executor() is Executor.LOCAL:
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # the disk may be full, or the folder gone
                os.utime(file)

    file.touch()
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def is_silent(file: Path, started: float = 0.0) -> bool:
    """Tell whether a process of another machine is dead by its `heartbeat`; one that started at `started`, in seconds
    since 1970, may have touched no file yet, or another one has before.
    """
    with suppress(OSError):
        started = max(started, file.stat().st_mtime)
    return time.time() - started >= SILENT_SECONDS
