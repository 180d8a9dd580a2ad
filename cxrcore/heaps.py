"""The memory that glibc and Arrow keep, which the server's memory depends on."""

import ctypes
import sys

import pyarrow as pa

# Of malloc.h, see mallopt(3).
_M_ARENA_MAX, _MOST = -8, 2
_M_MMAP_THRESHOLD, _LARGE = -3, 256 * 2**10  # bytes


def bound() -> None:
    """Let what this process frees return to the system; the sooner it is called, the fewer heaps there are already.

    glibc makes a heap for each thread, at most eight for each core, and a heap is hardly ever as small again as it was.
    Each page run is a thread, so that the server's memory would grow with its visitors (see docs/reliability.md). So
    all threads share two heaps, or the few that there are. Large blocks lie in none: glibc moves that limit up to 32 MB
    when such a block is freed, unless it is set. Arrow has an allocator of its own, mimalloc, and here takes that of
    the system. Where the C library is another one, only Arrow is changed.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_M_ARENA_MAX, _MOST)
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
