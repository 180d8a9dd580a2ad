"""Work that needs TensorFlow, done in a worker process while the page shows that it waits."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from cxrcore.i18n import nt, t
from cxrcore.jobs import worker_pool
from cxrcore.progress import ignore


def compute(text: str, function: Callable[..., Any], *args: Any, progress: Callable[..., object] = ignore) -> Any:
    """Return `function(*args, progress=...)`, called in a worker (see `WorkerPool.call`), beside a spinner with `text`.

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

        return pool.call(function, *args, progress=move, waiting=waiting)
