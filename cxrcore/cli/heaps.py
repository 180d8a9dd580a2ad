"""The heaps of glibc, which the server's memory depends on."""

import ctypes
import sys

_M_ARENA_MAX = -8  # of malloc.h, see mallopt(3)
_MOST = 2


def bound() -> None:
    """Let the threads that this process will start share two heaps; nothing happens where the C library is another one.

    glibc makes a heap for each thread, at most eight for each core, and a heap is hardly ever as small again as it was.
    Each page run is a thread, so that the server's memory would grow with its visitors (see docs/reliability.md).
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(_M_ARENA_MAX, _MOST)
