"""Train: choose, start, watch, stop."""

import streamlit as st

from cxrcore import runs
from cxrcore.jobs import queue
from cxrcore.language import t
from cxrcore.ui import audit_note, choose, entry, messages, train_form, train_watch

entry.required()
st.title(t("Train"))

with messages.friendly():
    queue.dispatch()
in_view = st.query_params.get("run")
if in_view and in_view in {run.name for run in runs.listing()}:
    train_watch.watch(runs.load(in_view))

    if not st.toggle(t("Set up another run"), key=f"another beside {in_view}"):
        train_watch.others(in_view)
        st.stop()

with st.container(border=True):
    st.subheader(t("New run"))
    dataset_name = choose.choose_dataset()
    if dataset_name is None:
        messages.empty(t("There is no dataset to train on yet."), t("Add a dataset"), "pages/data.py")
    else:
        with messages.friendly():
            audit_note.show(dataset_name)
        chosen = train_form.form(dataset_name)
        if chosen:
            with messages.friendly():
                st.query_params["run"] = queue.submit(chosen).name
                st.rerun()

train_watch.others(in_view)
