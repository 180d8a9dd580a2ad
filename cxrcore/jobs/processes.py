"""Whether the process of a run is alive, and how to end it.

What a file says about a process may be wrong, so a process is ended only if its command line is that of the work.
"""

import time

import psutil

from cxrcore.runs import ProcessId, process_id

WORKER, TASK = MODULES = "cxrcore.jobs.worker", "cxrcore.jobs.tasks"  # that work on a folder
_LARGEST = 2**31 - 1  # of a process number


def command(module: str, *arguments: object) -> list[str]:
    """Return the arguments with which Python runs a module, which are also the end of its command line."""
    return ["-m", module, *map(str, arguments)]


def alive(process: ProcessId, work: list[str] | None = None) -> bool:
    """Tell whether a process is running, and is not a later one with its number.

    `work`: the end of its command line, see `command`; None if any will do.
    """
    return _find(process, work) is not None


def kill(process: ProcessId, work: list[str]) -> None:
    """End a process and its children at once; nothing happens if it has ended, or does something else than `work`."""
    found = _find(process, work)
    if found is None:
        return
    for member in [*found.children(recursive=True), found]:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs([found], timeout=2)


def _find(process: ProcessId, work: list[str] | None) -> psutil.Process | None:
    if not 0 < process.pid <= _LARGEST:
        return None
    try:
        found = psutil.Process(process.pid)
        if not _same(found, process) or found.status() == psutil.STATUS_ZOMBIE:
            return None
        return found if work is None or _command_line(found)[-len(work) :] == work else None
    except psutil.Error:  # it has ended, or is another user's
        return None


def _command_line(found: psutil.Process) -> list[str]:
    """Return the command line, which the system fills in some milliseconds after a program was started.

    A thread of the system's kernel has neither a program nor a command line.
    """
    end = time.monotonic() + 1
    line: list[str] = found.cmdline()
    while not line and found.exe() and time.monotonic() < end:
        time.sleep(0.01)
        line = found.cmdline()
    return line


def _same(found: psutil.Process, process: ProcessId) -> bool:
    if process.pid_boot:  # no step of the clock changes these
        known = process_id(found.pid)
        return (known.pid_started, known.pid_boot) == (process.pid_started, process.pid_boot)
    return bool(abs(found.create_time() - process.pid_started) < 1)
