"""Garbage collection that does not look at what stays.

Streamlit collects all generations after each run of a page. That takes 0.15 s of a server's one interpreter lock, as it
looks at every object of the imported libraries and of the kept results.
"""

import gc
import time

LONGEST = 0.003  # seconds; what a longer collection has left alive is not looked at again
_AGAIN_SECONDS = 300.0  # so that cycles among what has left, as the state of visitors, are found as well


class _Frozen:
    """When a collection has begun, and when everything was looked at last, in seconds of `time.monotonic`."""

    started = 0.0
    complete = 0.0


def install() -> None:
    """Let the collections of this process leave out what has survived a long one; once is enough."""
    if _observed not in gc.callbacks:
        gc.callbacks.append(_observed)


def _observed(phase: str, info: dict[str, int]) -> None:
    if info["generation"] < 2:
        return
    now = time.monotonic()
    if phase == "start":
        if now - _Frozen.complete > _AGAIN_SECONDS:
            gc.unfreeze()
            _Frozen.complete = now
        _Frozen.started = time.thread_time()
    elif time.thread_time() - _Frozen.started > LONGEST:
        gc.freeze()
