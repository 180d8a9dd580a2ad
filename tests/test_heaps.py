"""The memory that glibc and Arrow keep."""

import asyncio
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from cxrcore import heaps
from cxrcore.jobs import worker_pool
from cxrcore.ui import collection, server

_THREADS = """
import threading
BOUND
ready = threading.Barrier(9)
def work():
    kept = [bytes(2000) for _ in range(2000)]
    ready.wait()
    ready.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait()
# A heap of a thread begins at a multiple of 64 MB, and is no part of a file.
lines = [line.split() for line in open("/proc/self/maps")]
print(sum(int(line[0].split("-")[0], 16) % 2**26 == 0 for line in lines if len(line) == 5))
ready.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="counts the heaps of glibc")
def test_threads_share_two_heaps():
    def heaps(bound):
        code = _THREADS.replace("BOUND", bound)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert heaps("") > 4
    assert heaps("from cxrcore import heaps; heaps.bound()") <= 3  # another mapping may begin there by chance


_LARGE_BLOCKS = """
import ctypes
from cxrcore import heaps
heaps.bound()
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]
library = ctypes.CDLL(None)
library.malloc.restype, library.mallinfo2.restype = ctypes.c_void_p, Info
library.free.argtypes = [ctypes.c_void_p]
library.free(library.malloc(30 * 2**20))
before = library.mallinfo2().hblkhd
kept = library.malloc(5 * 2**20)
print(library.mallinfo2().hblkhd - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="counts the blocks of glibc outside its heaps")
def test_large_blocks_lie_in_no_heap():
    # Without the call, glibc nearly always puts the second block into its heap: not where that has no room.
    ran = subprocess.run([sys.executable, "-c", _LARGE_BLOCKS], capture_output=True, text=True, check=True)
    assert int(ran.stdout) >= 5 * 2**20


def test_every_server_has_bounded_heaps(home, monkeypatch):
    called = []
    monkeypatch.setattr(heaps, "bound", lambda: called.append(True))
    monkeypatch.setattr(server, "prepare", lambda: None)
    monkeypatch.setattr(collection, "install", lambda: None)
    monkeypatch.setattr(worker_pool, "pool", lambda: SimpleNamespace(close=lambda: None))

    async def start():
        async with server.lifespan(None):
            assert called == [True]

    # In a thread of its own: the browser's tests leave an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, start()).result()


def test_arrow_takes_the_memory_of_the_system():
    code = (
        "from cxrcore import heaps\nimport pyarrow as pa\nheaps.bound()\n"
        "kept = pa.array(['x' * 100] * 1000)\n"
        "print(pa.default_memory_pool().backend_name, pa.system_memory_pool().bytes_allocated() > 100_000)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["system", "True"]
