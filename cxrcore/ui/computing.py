"""Work that needs TensorFlow, done in a worker process while the page shows that it waits."""

from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.i18n import nt, t
from cxrcore.jobs import worker_pool
from cxrcore.progress import ignore

_KEPT = 12  # results of a function, for each visitor


def once(
    place: DeltaGenerator,
    key: Hashable,
    text: str,
    function: Callable[..., Any],
    *args: Any,
    progress: Callable[..., object] = ignore,
) -> Any:
    """Return what `compute` returns, computed once for `key`; `place`, a `st.empty`, shows the progress.

    The latest results of the function are kept for this visitor alone, also one that is there when the page is drawn
    again.
    """
    results: dict[Hashable, Any] = st.session_state.setdefault(f"results of {function.__name__}", {})

    def keep(value: Any) -> None:
        results[key] = value
        for old in list(results)[:-_KEPT]:
            del results[old]

    if key not in results:
        with place.container():
            compute(text, function, *args, progress=progress, keep=keep)
        place.empty()
    return results[key]


def compute(
    text: str,
    function: Callable[..., Any],
    *args: Any,
    progress: Callable[..., object] = ignore,
    keep: Callable[[Any], object] = lambda value: None,
) -> Any:
    """Return `function(*args, progress=...)`, called in a worker (see `WorkerPool.call`), beside a spinner with `text`.

    Args:
        keep: called with the result before the page is changed, as a page that is to be drawn again ends there.

    Raises:
        UserError: the worker ended or was too slow. What the function raises is passed on.
    """
    pool = worker_pool.pool()
    if not pool.is_warm:
        text = t("Loading the model; the first time takes some seconds")
    with st.spinner(text, show_time=True):
        queue = st.empty()

        def waiting(ahead: int) -> None:
            if ahead:
                queue.caption(
                    nt("{n} computation is ahead of this one.", "{n} computations are ahead of this one.", ahead)
                )

        def move(*step: Any) -> None:
            queue.empty()
            progress(*step)

        value = pool.call(function, *args, progress=move, waiting=waiting)
        keep(value)
        return value
