"""Starts workers, tasks and servers in milliseconds: a process that has imported everything forks for each.

A process has the command line that it would have as a program, as the product asks for it. Nothing was computed by
TensorFlow before the fork, so its threads start afterwards.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cxrcore.jobs import processes

SERVER = "benchmarks.fault_moments"
_ROOM = 1000  # bytes for a command line
_start = subprocess.Popen


class WarmProcesses:
    """The process that forks, from the side of those that ask it to."""

    def __init__(self) -> None:
        self.path = tempfile.mktemp(prefix="cxr-warm-")  # nosec B306
        program = [sys.executable, "-m", "benchmarks.warm_processes", self.path, "x" * _ROOM]
        self._process = _start(program)
        while not Path(self.path).exists():
            time.sleep(0.05)
        _use(self.path)

    def start(self, *arguments: str) -> int:
        """Start `python -m` with these arguments; return the number of the process."""
        return int(_popen(self.path)([sys.executable, "-m", *arguments]).pid)

    def close(self) -> None:
        """End the process that forks; others are started as before."""
        subprocess.Popen = _start  # type: ignore[misc]
        self._process.kill()
        self._process.wait()
        Path(self.path).unlink()


def _use(path: str) -> None:
    subprocess.Popen = _popen(path)  # type: ignore[assignment, misc]


def _popen(path: str) -> Callable[..., Any]:
    def popen(arguments: Sequence[str], **options: Any) -> Any:
        if not {*processes.MODULES, SERVER} & set(arguments):
            return _start(arguments, **options)
        log = options["stdout"].name if "stdout" in options else None
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            client.sendall(json.dumps([list(arguments[2:]), options.get("env") or dict(os.environ), log]).encode())
            client.shutdown(socket.SHUT_WR)
            return SimpleNamespace(pid=int(client.makefile().read()))

    return popen


def _serve(path: str) -> None:
    import keras  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import tensorflow  # noqa: F401

    from benchmarks import fault_moments  # noqa: F401
    from cxrcore.audits import shortcut  # noqa: F401
    from cxrcore.jobs import tasks, worker  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no process stays as a zombie
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path + ".new")
        server.listen(20)
        Path(path + ".new").rename(path)
        server.settimeout(1)
        while os.getppid() != 1:
            try:
                client, _ = server.accept()
            except TimeoutError:
                continue
            with client:
                try:
                    arguments, environment, log = json.loads(client.makefile().read())
                except ValueError:  # the server that asks was killed while it wrote
                    continue
                named, name_end = os.pipe()
                pid = os.fork()
                if pid == 0:
                    server.close()
                    client.close()
                    _use(path)
                    _work(arguments, environment, log, name_end)
                os.close(name_end)
                os.read(named, 1)  # until it has its command line, by which it is recognised, or has ended
                os.close(named)
                with suppress(BrokenPipeError):  # it was killed meanwhile
                    client.sendall(str(pid).encode())


def _work(arguments: list[str], environment: dict[str, str], log: str | None, name_end: int) -> None:
    from benchmarks import fault_moments
    from cxrcore.jobs import priority, tasks, worker

    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.environ.clear()
        os.environ |= environment
        if log:
            file = os.open(log, os.O_WRONLY | os.O_APPEND)
            os.dup2(file, 1)
            os.dup2(file, 2)
            os.close(file)
        _name(["-m", *arguments])
        os.close(name_end)
        module, *rest = arguments
        if module == SERVER:
            fault_moments.serve(rest)
        priority.lower()
        code = worker.main(Path(rest[0])) if module == processes.WORKER else tasks.main(Path(rest[0]), rest[1])
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _name(arguments: list[str]) -> None:
    """Write a command line over that of this process; its first word takes the room that is left."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, see proc(5)
    line = b"".join(word.encode() + b"\0" for word in arguments)
    ctypes.memmove(start, b"p" * (end - start - len(line) - 1) + b"\0" + line, end - start)


if __name__ == "__main__":
    _serve(sys.argv[1])
