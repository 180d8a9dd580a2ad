"""Compressed DICOM pixels, decoded in a child process.

GDCM reads every compression that a radiograph may have, but a damaged file can crash it, hang it or make it allocate
all memory (all three occurred with mutated files). So it runs in a child process with `SECONDS` of processor time for a
file and `MEMORY` bytes; after a crash the next file gets a new child. Starting a child takes half a second, so it waits
for the next file and exits when none comes for `IDLE` seconds.
"""

import io
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, LifoQueue
from typing import IO

import numpy as np

from cxrcore.data.errors import ImageError

SECONDS = 4
PATIENCE = 60.0  # seconds of wall time, for a child that waits for something, or a system without the limit above
IDLE = 60
MEMORY = 700 * 2**20
_READY, _PIXELS, _REFUSED = b"R", b"P", b"E"


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]
    questions: IO[bytes]
    answers: IO[bytes]


_idle: LifoQueue[_Child] = LifoQueue()


def stored_values(content: bytes) -> np.ndarray:
    """Return the stored values of a DICOM file of one grey frame, (rows, columns), before any lookup table.

    Raises:
        ImageError: the decoder refuses the file, crashes, or takes longer than `SECONDS`.
    """
    try:
        kind, answer = _ask(_idle_or_new(), content)
    except (OSError, EOFError):
        try:  # the child may have exited, or been killed for lack of memory, at that moment
            kind, answer = _ask(_new(), content)
        except (OSError, EOFError) as error:
            raise ImageError("the compressed pixels are damaged: decoding them failed or took too long") from error
    if kind == _REFUSED:
        raise ImageError("the compressed pixels cannot be decoded ({answer})", answer=answer.decode(errors="replace"))
    values: np.ndarray = np.load(io.BytesIO(answer), allow_pickle=False)
    return values


def _ask(child: _Child, content: bytes) -> tuple[bytes, bytes]:
    try:
        with _deadline(child):
            _send(child.questions, _PIXELS, content)
            answer = _receive(child.answers)
    except (OSError, EOFError) as error:
        child.process.kill()
        if child.process.wait() == -getattr(signal, "SIGXCPU", 0):
            raise ImageError("decoding the compressed pixels took over {seconds} s", seconds=SECONDS) from error
        raise
    _idle.put(child)
    return answer


def _idle_or_new() -> _Child:
    try:
        child = _idle.get_nowait()
        if child.process.poll() is None:
            return child
    except Empty:
        pass
    return _new()


def _new() -> _Child:
    command, pipe = [sys.executable, "-m", __name__], subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # nosec B603
    assert process.stdin and process.stdout
    child = _Child(process, process.stdin, process.stdout)
    with _deadline(child):
        child.answers.read(1)  # ready, or nothing if it could not start; the next request fails then
    return child


@contextmanager
def _deadline(child: _Child) -> Iterator[None]:
    timer = threading.Timer(PATIENCE, child.process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _send(stream: IO[bytes], kind: bytes, content: bytes) -> None:
    stream.write(kind + struct.pack("<Q", len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[bytes, bytes]:
    head = stream.read(9)
    if len(head) < 9:
        raise EOFError
    (length,) = struct.unpack("<Q", head[1:])
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return head[:1], content


def _serve() -> None:
    """Answer until the parent closes the pipe or exits."""
    import pydicom
    from pydicom.pixels.utils import pixel_array

    _limit_memory()
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(_READY)
    answers.flush()
    while True:
        _limit_time()
        try:
            _, content = _receive(questions)
        except EOFError:
            return
        try:
            packed = io.BytesIO()
            np.save(packed, pixel_array(pydicom.dcmread(io.BytesIO(content)), index=0), allow_pickle=False)
            _send(answers, _PIXELS, packed.getvalue())
        except Exception as error:
            _send(answers, _REFUSED, (str(error).splitlines() or [type(error).__name__])[-1].strip()[:160].encode())


def _limit_time() -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is the limit
        return
    signal.alarm(IDLE)
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS + 1, most))  # whole seconds only


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the size check before decoding holds there too
        return
    import psutil

    most = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    _serve()
