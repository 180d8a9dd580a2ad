"""Work in a process of its own, seen from a page: the button that starts it, how far it is, the button that ends it."""

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import bind, t, translate
from cxrcore.jobs import tasks
from cxrcore.runs import RUNNING, Run
from cxrcore.ui import feedback


def offer(run: Run, task: str, label: str, about: str, made: bool) -> None:
    """Show what a task does and its button, or how far it is; the page draws itself anew when it has ended.

    `made` tells whether a result is shown already.
    """
    found = tasks.status(run, task)
    if found and found["state"] == RUNNING:
        st.fragment(bind(_watch), run_every=1.0)(run, task)
        return
    if settings.read_only():
        if not made:
            st.caption(t("Not measured for this run."))
        return
    if found:
        st.error(feedback.plain_text(translate(found["message"])), icon=":material/error:")
    st.caption(about)
    if st.button(label, icon=":material/play_arrow:", key=f"start {task}"):
        with feedback.friendly():
            tasks.start(run, task)
            st.rerun()


def _watch(run: Run, task: str) -> None:
    found = tasks.status(run, task)
    if not found or found["state"] != RUNNING:
        st.rerun(scope="app")
        return
    stage = translate(found["stage"]) or t("loading the libraries")
    share = found["done"] / found["total"] if found["total"] else 0.0
    st.progress(
        min(1.0, share), text=t("{stage}: {done} of {all}", stage=stage, done=found["done"], all=found["total"])
    )
    st.caption(t("It goes on when you leave this page."))
    if st.button(t("Stop"), key=f"stop {task}", disabled=settings.read_only()):
        tasks.stop(run, task)
        st.rerun(scope="app")
