"""Work in a process of its own, seen from a page: the button that starts it, its progress, the button that stops it."""

from collections.abc import Callable
from threading import Lock

import streamlit as st
from cachetools import TTLCache, cached

from cxrcore import settings
from cxrcore.i18n import t, translate
from cxrcore.jobs import tasks
from cxrcore.runs import RUNNING, Run
from cxrcore.ui import feedback
from cxrcore.ui.fragments import fragment

_KEPT_SECONDS = 600.0


def offer(run: Run, task: str, label: str, description: str, done: bool) -> None:
    """Show what a task does and its button, or its progress; the page is drawn again when the task has ended.

    `done` tells whether a result is shown already.
    """
    status = tasks.status(run, task)
    if status and status.state == RUNNING:
        fragment(_watch, run_every=1.0)(run, task)
        return
    if settings.read_only():
        if not done:
            st.caption(t("Not measured for this run."))
        return
    if status:
        st.error(feedback.error_text(status.message), icon=":material/error:")
    st.caption(description)
    if st.button(label, icon=":material/play_arrow:", key=f"start {task}"):
        with feedback.friendly():
            tasks.start(run, task)
            st.rerun()


def duration(estimate: Callable[[Run], float], run: Run) -> str:
    """Return how long a task takes by its function, for example `40 s`, as found within the last minutes."""
    return feedback.duration(_estimated(estimate, run, run.folder.stat().st_mtime_ns))


@cached(TTLCache(1000, _KEPT_SECONDS), lock=Lock(), key=lambda estimate, *rest: (estimate.__module__, *rest))
def _estimated(estimate: Callable[[Run], float], run: Run, written: int) -> float:
    """Return the seconds; they depend on the run's files, and on features that any run may have computed."""
    return estimate(run)


def _watch(run: Run, task: str) -> None:
    status = tasks.status(run, task)
    if not status or status.state != RUNNING:
        st.rerun(scope="app")
        return
    share = status.done / status.total if status.total else 0.0
    st.progress(min(1.0, share), text=_text(status))
    st.caption(t("The task continues when you leave the page."))
    if st.button(t("Stop"), key=f"stop {task}", disabled=settings.read_only()):
        tasks.stop(run, task)
        st.rerun(scope="app")


def _text(status: tasks.TaskStatus) -> str:
    """Return for example `Step 3 of 9. Border of 28 px only: 120 of 375, about 40 s left`."""
    stage = translate(status.stage) or t("loading the libraries")
    if status.number:
        stage = stage[:1].upper() + stage[1:]
        stage = t("Step {number} of {all}. {stage}", number=status.number, all=status.steps, stage=stage)
    text = t("{stage}: {done} of {all}", stage=stage, done=status.done, all=status.total)
    if status.seconds_left is None:
        return text
    return text + t(", about {duration} left", duration=feedback.duration(status.seconds_left))
