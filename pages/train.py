"""Train: choose settings, start a run, follow and control it."""

import streamlit as st

from cxrcore import runs
from cxrcore.i18n import t
from cxrcore.jobs import queue
from cxrcore.ui import entry, feedback, selection
from cxrcore.ui.train import form, like_run, run_view

# The bar with the Start button is as low as it can be, and apart from what scrolls behind it.
_STYLE = """<style>
[data-testid="stBottomBlockContainer"] { padding-top: 0.75rem; padding-bottom: 0.75rem; }
[data-testid="stBottom"] { border-top: 1px solid rgba(128, 128, 128, 0.35); }
</style>"""

entry.required()
st.html(_STYLE)
st.title(t("Train"))

with feedback.friendly():
    queue.dispatch()
in_view = st.query_params.get("run")
if in_view and in_view in {run.name for run in runs.listing()}:
    with feedback.friendly():
        run_view.watch(runs.load(in_view))

    if not st.toggle(t("Set up another run"), key=f"another beside {in_view}"):
        run_view.others(in_view)
        st.stop()

if like_run.is_asked():
    with feedback.friendly():
        like_run.show()
    run_view.others(in_view)
    st.stop()
if in_view:
    st.subheader(t("New run"))
with feedback.friendly():
    dataset_name = selection.choose_dataset(last_used=True)
    if dataset_name is None:
        feedback.empty(t("There is no dataset to train on yet."), t("Add a dataset"), "pages/data.py")
    elif chosen := form.form(dataset_name):
        st.query_params["run"] = queue.submit(chosen).name
        st.rerun()

run_view.others(in_view)
