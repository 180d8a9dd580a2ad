"""The number of heaps of glibc."""

import platform
import subprocess
import sys

import pytest

_THREADS = """
import threading
from cxrcore.cli import heaps
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
    assert heaps("heaps.bound()") <= 3  # another mapping may begin there by chance
